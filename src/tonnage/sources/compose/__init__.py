"""Compose files, read into a stack."""
