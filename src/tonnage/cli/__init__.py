"""The command line: composition root, exit codes, one thin module for each verb."""
