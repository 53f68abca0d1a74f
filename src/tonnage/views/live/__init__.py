"""Events of a run while it goes on: a terminal, plain lines, JSON lines."""
