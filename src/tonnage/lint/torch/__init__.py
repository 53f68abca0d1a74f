"""The right PyTorch: what is to be written in requirement files, Dockerfiles and compose files for a build of it."""
