"""Lists for Safe SFT to imitate."""
