"""What Swarm is told of a stack, and whether it has got there. Pure."""
