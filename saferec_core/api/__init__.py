"""The public Python interface, behind the names that ``saferec_core`` offers."""
