"""Model and events in, text for people and programs out."""
