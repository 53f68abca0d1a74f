"""What commands do to an image: installs, downloads, files."""
