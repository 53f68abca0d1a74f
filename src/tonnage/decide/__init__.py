"""Verbs: model in, model out. Pure: no IO, no clock, no environment."""
