"""Carrying out a reclaim: what has to stay, removing, measuring."""
