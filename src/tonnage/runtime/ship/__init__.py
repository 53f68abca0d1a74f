"""Sending images to another engine: carried out, watched and health checked afterwards."""
