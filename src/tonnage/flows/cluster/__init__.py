"""Many machines: a stack on a Docker Swarm, looked at, placed by bytes, deployed, taken back and tidied up."""
