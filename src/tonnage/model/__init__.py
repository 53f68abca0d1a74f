"""Nouns: what a stack is, what was observed, what is planned, what happened. No IO and no clock."""
