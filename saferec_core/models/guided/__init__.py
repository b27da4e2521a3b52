"""Guided decoding: a policy can only write lists of titles that it is allowed to recommend."""
