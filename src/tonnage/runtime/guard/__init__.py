"""What a run does when the disk comes near its reserve, and what a guard without a run does."""
