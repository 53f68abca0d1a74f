"""Rules about requirement files, one module for each."""
