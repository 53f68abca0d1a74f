"""What a job of a continuous integration shows, and the workflows written for it."""
