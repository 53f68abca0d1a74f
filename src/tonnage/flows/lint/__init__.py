"""Looking for waste of disk: which files are looked at, what is found, what mending it saves, and mending it."""
