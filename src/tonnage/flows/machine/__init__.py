"""Use cases about this installation and this machine: what shells complete, what a platform can do, leaving."""
