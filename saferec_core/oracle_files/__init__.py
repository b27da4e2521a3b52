"""Oracle files: built from sources of evidence, asked through a memory map, described."""
