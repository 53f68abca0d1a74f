"""Another machine, reached by the ssh program: commands, files, locks and uploads."""
