"""Docker Swarm, spoken to through one of its managers: nodes, services, tasks, labels, claims and the stack command."""
