"""Sending images to another engine: looked at, planned, sent."""
