"""What every HTML page of saferec shares: one template environment, one palette, one style sheet."""
