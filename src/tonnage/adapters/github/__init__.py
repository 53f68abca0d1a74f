"""GitHub, as a job of its Actions reaches it."""
