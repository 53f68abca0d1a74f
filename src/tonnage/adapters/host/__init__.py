"""This machine: filesystems, mounts, swap, files held open, and where Tonnage itself is installed."""
