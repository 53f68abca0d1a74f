"""What guards the disk of an engine on this machine: groups of build steps that are frozen, and a ballast file."""
