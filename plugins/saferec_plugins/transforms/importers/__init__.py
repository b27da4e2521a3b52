"""Importers: transforms that make samples of other people's files."""
