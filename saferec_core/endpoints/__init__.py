"""Asking models behind OpenAI-compatible endpoints: each question once, the key never shown."""
