"""Rules about Dockerfiles, one module for each."""
