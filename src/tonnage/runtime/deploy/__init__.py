"""Carrying out a plan: steps, measuring, the guard, waiting for health."""
