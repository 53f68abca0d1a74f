"""What can be read out of an image that an engine or a registry has: files, configuration, layers."""
