"""Use cases that guard a disk: making room while builds wait, and the guard without a run."""
