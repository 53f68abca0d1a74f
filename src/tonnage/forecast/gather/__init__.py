"""Asking: what a build reads, installs and downloads, looked up through ports."""
