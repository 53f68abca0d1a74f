#!/usr/bin/env python3
"""Makes a recording, as an SVG, of a command that really runs: each line appears when it was printed, only sooner.

    .build/venv/bin/python script/recording.py docs/recording.svg [--speed N] [--without PATTERN] -- COMMAND...

The picture moves by itself in a browser, stands still for who wants no motion, and fetches nothing. The lines are kept
beside it as a text file, each with its second, of which the picture can be made again:

    .build/venv/bin/python script/recording.py docs/recording.svg --again
"""

from __future__ import annotations

import argparse
import io
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

from tonnage.escapes import visible_in_line

_COLUMNS = 104
_LONGEST_S = 20.0
"""However long the run was, the recording is not longer."""
_LEFT_OUT = "..."

# As rich has it, but for the font, which it would fetch from a server.
_FORMAT = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img">
<title>{title_text}</title>
<style>
.{unique_id}-matrix{{font-family:ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:{char_height}px;
line-height:{line_height}px;font-variant-east-asian:full-width}}
.{unique_id}-title{{font-size:18px;font-weight:bold;font-family:system-ui,sans-serif}}
@keyframes shown{{from{{visibility:hidden}}to{{visibility:visible}}}}
{moves}
@media(prefers-reduced-motion:reduce){{.{unique_id}-matrix *{{animation:none!important}}}}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g></svg>
"""

Line = tuple[float, str]


def recorded(command: list[str]) -> list[Line]:
    """Run a command, show what it prints, and return its lines with the seconds at which they came."""
    environment = os.environ | {"COLUMNS": str(_COLUMNS), "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}
    begun_s = time.monotonic()
    lines: list[Line] = [(0.0, f"$ {' '.join(command)}")]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=environment
    ) as running:
        for line in running.stdout or ():
            lines.append((round(time.monotonic() - begun_s, 2), line.rstrip("\n")))
            print(line, end="", file=sys.stderr)
    if running.returncode:
        sys.exit(f"error: {command[0]} ended with {running.returncode}; nothing was written")
    return lines


def without(lines: list[Line], pattern: str) -> list[Line]:
    """Leave out what says nothing of the command itself: what programs below it print, paths of this machine."""
    return [line for line in lines if not re.search(pattern, line[1])] if pattern else lines


def shortened(lines: list[Line], most: int) -> list[Line]:
    """Leave lines out in the middle, so that the beginning and the result stay."""
    if len(lines) <= most:
        return lines
    first = most // 2
    cut = lines[first : len(lines) - (most - first - 1)]
    return [*lines[:first], (cut[0][0], _LEFT_OUT), *lines[len(lines) - (most - first - 1) :]]


def picture(lines: list[Line], *, title: str, speed: float) -> str:
    """Return the SVG."""
    console = Console(record=True, width=_COLUMNS, file=io.StringIO(), force_terminal=True)
    for _, line in lines:
        console.print(Text(visible_in_line(line)), overflow="crop", no_wrap=True, crop=True, highlight=False)
    end_s = lines[-1][0] if lines else 0.0
    faster = max(speed, end_s / _LONGEST_S)
    ids = "tonnage"
    moves = "\n".join(
        f".{ids}-matrix [clip-path='url(#{ids}-line-{number})']"
        f"{{animation:shown 0.01s linear {at_s / faster:.2f}s both}}"
        for number, (at_s, _) in enumerate(lines)
    )
    # The title is put in by rich; what it does not know is put in here first.
    wanted = _FORMAT.replace("{moves}", moves.replace("{", "{{").replace("}", "}}"))
    wanted = wanted.replace("{title_text}", re.sub(r"[<>&{}]", "", title))
    return console.export_svg(title=title, code_format=wanted, unique_id=ids, theme=DIMMED_MONOKAI)


def main() -> None:
    """Record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("svg", type=Path)
    parser.add_argument("--speed", type=float, default=4.0, help="how much faster than it was")
    parser.add_argument("--most", type=int, default=46, help="lines at most; the middle is left out")
    parser.add_argument("--without", default="", help="leave out lines that match, as pip's: ' \\| '")
    parser.add_argument("--title", default="tonnage")
    parser.add_argument("--again", action="store_true", help="from the lines that are kept beside it")
    here, _, command = "\0".join(sys.argv[1:]).partition("\0--\0")
    typed = parser.parse_args(here.split("\0"))
    kept = typed.svg.with_suffix(".txt")
    if typed.again:
        pairs = (line.split("\t", 1) for line in kept.read_text().splitlines())
        lines = [(float(at_s), text) for at_s, text in pairs]
    elif command:
        lines = recorded(command.split("\0"))
    else:
        parser.error("which command? Write it after --")
    lines = without(lines, typed.without)
    kept.write_text("".join(f"{at_s}\t{visible_in_line(text)}\n" for at_s, text in lines))
    typed.svg.write_text(picture(shortened(lines, typed.most), title=typed.title, speed=typed.speed))


if __name__ == "__main__":
    main()
