"""Scoring the completions of one prompt together, with the prompt computed once."""
