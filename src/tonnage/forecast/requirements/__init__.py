"""Requirement files: what they name, option by option, line by line."""
