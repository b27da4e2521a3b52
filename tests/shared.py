"""Real data and recorded behavior beside the checkout; tests that need them are skipped without."""

from pathlib import Path

SHARED = Path(__file__).parents[2] / "shared"
