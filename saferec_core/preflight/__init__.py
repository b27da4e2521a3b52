"""Checks before a run starts, and its plan: everything that can be known without torch."""
