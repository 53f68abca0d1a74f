"""Nouns of reclaiming: candidates, roots, outcomes."""
