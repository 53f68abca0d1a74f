"""What ``tonnage uninstall`` removes."""
