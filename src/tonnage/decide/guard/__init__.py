"""When the reserve is near, and what is paused first."""
