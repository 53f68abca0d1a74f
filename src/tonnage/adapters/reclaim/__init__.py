"""Files and directories of this machine that may be removed: finding, measuring and removing them."""
