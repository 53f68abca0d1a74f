"""What looking at an engine tells besides its inventory."""
