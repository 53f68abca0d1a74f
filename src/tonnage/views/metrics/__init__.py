"""What is there now, for monitoring."""
