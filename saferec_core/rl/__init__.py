"""Rewards, rollouts and the loss of Safe-Rank-GRPO, independent of any trainer."""
