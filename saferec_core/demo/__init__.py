"""The embedded demo: a small world of real films and invented users, in which training works.

``saferec train`` with nothing named builds it and trains on it. Nothing is downloaded.
"""

from saferec_core.demo.folder import SPLITS, write_demo

__all__ = ["SPLITS", "write_demo"]
