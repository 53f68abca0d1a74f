"""Rules about several files of a stack together, one module for each."""
