"""Nouns of forecasts: estimates, images, layers, packages, effects of commands."""
