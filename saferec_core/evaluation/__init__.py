"""Measuring policies on held-out prompts."""
