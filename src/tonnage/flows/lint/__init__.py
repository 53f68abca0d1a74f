"""Looking for waste of disk: which files are looked at, what is found, what fixing it saves, and fixing it."""
