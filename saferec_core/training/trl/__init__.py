"""The one room that imports TRL."""
