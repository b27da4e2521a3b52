"""Loading models, decoding token ids, and generating completions."""
