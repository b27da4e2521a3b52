"""Language models behind OpenAI-compatible endpoints: asked once, paid once, never told to a log."""
