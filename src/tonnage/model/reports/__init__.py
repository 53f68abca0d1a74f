"""Nouns of reports: checks, symptoms, jobs of a continuous integration."""
