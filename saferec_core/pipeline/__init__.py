"""Chains of transforms over files of any size: in parts, on several processes, resumable."""
