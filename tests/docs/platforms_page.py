"""The page about platforms, from its one source: ``python -m tests.docs.platforms_page > docs/platforms.md``."""

from __future__ import annotations

from tonnage.model.reports.platforms import ABILITIES, Platform

_INTRODUCTION = """\
# Platforms

Which commands work where. `tonnage doctor` says the same of the machine that it runs on, from the same
source; this page is written by `python -m tests.docs.platforms_page > docs/platforms.md`.

The platform is that of the engine, as Tonnage has to read its disk:

- **Linux**: Docker Engine or Podman on this machine. All tests run there.
- **rootless**: an engine of this user.
- **WSL 2**: an engine that runs in the Linux of WSL. Docker Desktop with its WSL integration is Docker
  Desktop.
- **Docker Desktop or tcp://**: the engine keeps its files in a virtual machine or elsewhere, where nobody
  can tell how much is free. On macOS and Windows use an engine on Linux, by `ssh://` or in a virtual machine that
  Tonnage runs in (Lima, Colima, WSL 2).
- **another machine by ssh://**: `-H ssh://user@host` or `--to ssh://user@host/DIR`.
- **no engine**: none answers.

The program itself is for Linux with Python 3.11 or newer. It is not tested on macOS, and does not start on
Windows outside of WSL.

"""


def page() -> str:
    """Return the whole page."""
    head = ["| command |", *(f" {platform} |" for platform in Platform)]
    lines = ["".join(head), "|---|" + "---|" * len(Platform)]
    for command, found in ABILITIES.items():
        lines.append(f"| `{command}` |" + "".join(f" {found[platform]} |" for platform in Platform))
    return _INTRODUCTION + "\n".join(lines) + "\n"


if __name__ == "__main__":
    import sys

    sys.stdout.write(page())
