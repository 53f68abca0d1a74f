"""What apt installs, keeps and writes of its own."""
