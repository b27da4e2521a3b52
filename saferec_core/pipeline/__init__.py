"""Chains of transforms over files of any size: in parts, in processes, resumable, accounted for."""
