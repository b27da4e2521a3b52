"""Examine an installation: versions, machine, folders, and the gradient of the trainer."""
