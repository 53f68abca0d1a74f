"""What may be removed, what must stay, and what of it is removed for how many bytes."""
