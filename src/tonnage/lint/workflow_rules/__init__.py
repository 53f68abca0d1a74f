"""Rules about workflows of GitHub, one module for each."""
