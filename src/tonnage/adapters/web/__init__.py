"""Servers that are asked over HTTP, and what is kept of their answers."""
