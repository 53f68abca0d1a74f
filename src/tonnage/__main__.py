"""``python -m tonnage`` is the command."""

from tonnage.cli.program import run

if __name__ == "__main__":
    run()
