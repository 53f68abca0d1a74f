"""Packages for Node.js: what lock files name, and how large registries say that it is."""
