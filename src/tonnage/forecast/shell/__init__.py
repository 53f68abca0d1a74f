"""Shell scripts of RUN instructions: which commands they run, with which words, in which state."""
