"""Replay: stored completions through other rewards, weights, normalizers and oracles, without a model."""
