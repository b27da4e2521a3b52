"""Language models behind OpenAI-compatible endpoints: each question is paid for once, and never logged."""
