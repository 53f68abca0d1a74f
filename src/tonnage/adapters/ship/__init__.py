"""Images as layers that are read on one engine and sent to another, only those that it lacks."""
