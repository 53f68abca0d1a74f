"""Pages for a browser: one file each, which asks no server and runs no script."""
