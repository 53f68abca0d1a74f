"""The documented JSON forms."""
