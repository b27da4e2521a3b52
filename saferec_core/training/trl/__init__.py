"""The only package that imports TRL."""
