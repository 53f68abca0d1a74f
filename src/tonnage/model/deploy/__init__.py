"""Nouns of builds, deploys and rollbacks: plans, runs, versions."""
