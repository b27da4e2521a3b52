"""The two stages, Safe SFT and Safe-Rank-GRPO."""
