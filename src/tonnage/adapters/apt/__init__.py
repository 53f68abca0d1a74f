"""Debian's packages: what an image has, what an index lists."""
