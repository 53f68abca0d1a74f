"""What runs write on an engine that many machines reach, so that they know of each other."""
