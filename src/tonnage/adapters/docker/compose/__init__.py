"""Compose, version 2 or 1.29, as a program that is run."""
