"""Dockerfiles, read into stages and instructions."""
