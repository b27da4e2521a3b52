"""Run folders: layout, manifest, checkpoints, and the processes that write them."""
