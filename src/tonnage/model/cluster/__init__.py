"""Many machines: what was observed of the nodes of a Swarm, what shall run there, and where it was decided to run."""
