"""The output of builders, line by line: what a build does now, and why it failed."""
