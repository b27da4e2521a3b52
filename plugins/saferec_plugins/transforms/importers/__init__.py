"""Importers: transforms that turn published datasets into samples."""
