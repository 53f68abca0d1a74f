"""Tonnage loads container stacks onto small disks, up to the line and never past it."""

from __future__ import annotations

__version__ = "0.1.0"
