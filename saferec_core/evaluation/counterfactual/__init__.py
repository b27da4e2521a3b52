"""How lists respond when the stated constraints change."""
