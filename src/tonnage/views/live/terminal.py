"""Events as a live picture on a terminal: services with their current step, the disk with its line, the log of now.

The picture never grows beyond the terminal, and a terminal that is gone ends nothing else. Colours are left out where
``NO_COLOR`` says so.
"""

from __future__ import annotations

import contextlib
from threading import Lock
from typing import TYPE_CHECKING, Self

from rich.console import Group
from rich.live import Live
from rich.text import Text

from tonnage.escapes import shortened, visible_in_line
from tonnage.model.deploy.event import Notice
from tonnage.units import format_bytes, format_duration, format_seconds
from tonnage.views.live import board
from tonnage.views.live.board import Board
from tonnage.views.text.layout import gauge_parts

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from tonnage.model.deploy.event import Event
    from tonnage.views.live.board import Disk, Row

LOG_TAIL = 5
"""Lines of the running program that are shown at most."""

_SYMBOLS = {
    board.WAITING: ("·", ".", "dim"),
    board.RUNNING: ("▸", ">", "cyan"),
    board.DONE: ("✓", "+", "green"),
    board.FAILED: ("✗", "x", "bold red"),
    board.UNCHANGED: ("=", "=", "dim"),
    board.UNDONE: ("↶", "<", "yellow"),
}
_ROWS_BESIDE_SERVICES = 6
_SHORTEST_MOUNT = 6
_LAST_HIDDEN = (board.RUNNING, board.UNDONE, board.FAILED, board.WAITING, board.DONE, board.UNCHANGED)
"""What is at work is shown first where there is no room for every service."""


class LiveView:
    """Draws a :class:`Board` several times in a second; events may come from several threads."""

    def __init__(
        self, console: Console, *, monotonic: Callable[[], float], stopping: Callable[[], bool] = lambda: False
    ) -> None:
        self._console = console
        self._monotonic = monotonic
        self._stopping = stopping
        self._lock = Lock()
        self._board = Board()
        self._live = Live(
            console=console,
            get_renderable=self._draw,
            refresh_per_second=8,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Draw the last picture and leave it on the screen."""
        with contextlib.suppress(OSError):
            self._live.stop()

    def show(self, event: Event) -> None:
        """Take an event into the picture; a notice is printed above it."""
        if isinstance(event, Notice):
            style = "yellow" if event.level == "warning" else ""
            with contextlib.suppress(OSError):
                # The terminal breaks what is long: a part of it must not begin a line of its own.
                self._console.print(Text(shortened(visible_in_line(event.text)), style=style), soft_wrap=True)
            return
        with self._lock:
            self._board.take(event, self._monotonic())

    def _draw(self) -> Group:
        with self._lock:
            self._board.stopping = self._stopping()
            return draw(
                self._board,
                now_s=self._monotonic(),
                width=self._console.width,
                height=self._console.height,
                ascii_only=not self._console.encoding.startswith("utf"),
            )


def draw(picture: Board, *, now_s: float, width: int, height: int, ascii_only: bool = False) -> Group:
    """Draw the board for a terminal of a given size."""
    if not picture.title:
        return Group()
    disks = [line for disk in picture.disks.values() for line in _disk_lines(disk, width, ascii_only=ascii_only)]
    room = max(1, height - _ROWS_BESIDE_SERVICES - len(disks))
    rows = _service_lines(picture, now_s, width, room, ascii_only=ascii_only)
    lines = [_title(picture, now_s, width), *disks, *rows]
    spare = height - 2 - len(lines)
    if picture.ended_s is None and spare > 0:
        tail = list(picture.log)[-min(LOG_TAIL, spare) :]
        lines += [Text(visible_in_line(f"  | {line}"), style="dim") for line in tail]
    for line in lines:
        line.truncate(width, overflow="crop" if ascii_only else "ellipsis")
    return Group(*lines[: max(1, height - 1)])


def _title(picture: Board, now_s: float, width: int) -> Text:
    until_s = now_s if picture.ended_s is None else picture.ended_s
    if picture.outcome:
        state = f"{picture.outcome} in {format_seconds(until_s - picture.started_s)}"
    else:
        now = "stopping" if picture.stopping else f"step {picture.index}/{picture.total}"
        left_s = None if picture.stopping else picture.left_s(now_s)
        rest = "" if left_s is None else f", ~{format_duration(left_s)} left"
        state = f"{now}  {format_seconds(until_s - picture.started_s)}{rest}"
    left = Text(visible_in_line(picture.title), style="bold")
    blanks = max(2, width - len(left) - len(state))
    return left.append(" " * blanks, style="not bold").append(state, style="not bold")


def _disk_lines(disk: Disk, width: int, *, ascii_only: bool) -> list[Text]:
    left, mark, right = gauge_parts(
        size_bytes=disk.size_bytes,
        available_bytes=disk.available_bytes,
        reserve_bytes=disk.reserve_bytes,
        cells=width - 2,
        ascii_only=ascii_only,
    )
    crossed = disk.available_bytes < disk.reserve_bytes
    bar = Text("  ").append(left, style="red" if crossed else "blue").append(mark, style="bold yellow")
    bar.append(right, style="red" if crossed else "dim")
    figures = (
        f"  {format_bytes(disk.available_bytes)} available, reserve {format_bytes(disk.reserve_bytes)},"
        f" lowest {format_bytes(disk.lowest_bytes)}"
    )
    room = width - len(figures) - 2
    more = "..." if ascii_only else "…"
    mount = visible_in_line(disk.mount)
    mount = mount if len(mount) <= room else more + mount[len(mount) + len(more) - room :]
    if room < _SHORTEST_MOUNT:
        mount = ""
    return [bar, Text(figures).append(f"  {mount}", style="dim") if mount else Text(figures)]


def _service_lines(picture: Board, now_s: float, width: int, room: int, *, ascii_only: bool) -> list[Text]:
    rows = list(picture.rows.values())
    hidden: list[Row] = []
    if len(rows) > room:
        ranked = sorted(rows, key=lambda row: _LAST_HIDDEN.index(row.state))
        shown = {row.service for row in ranked[: max(1, room - 1)]}
        hidden = [row for row in rows if row.service not in shown]
        rows = [row for row in rows if row.service in shown]
    names = min(max((len(row.service) for row in rows), default=0), max(8, width // 3))
    lines = [_service_line(row, now_s, names, width, ascii_only=ascii_only) for row in rows]
    if hidden:
        counts = {state: sum(row.state == state for row in hidden) for state in _SYMBOLS}
        told = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
        lines.append(Text(f"  and {told}", style="dim"))
    return lines


def _service_line(row: Row, now_s: float, names: int, width: int, *, ascii_only: bool) -> Text:
    symbol, plain_symbol, style = _SYMBOLS[row.state]
    busy = row.state in {board.RUNNING, board.UNDONE} and row.step
    seconds = now_s - row.since_s if busy else row.seconds
    time = format_seconds(seconds) if busy or row.seconds else ""
    line = Text("  ").append(plain_symbol if ascii_only else symbol, style=style)
    line.append(f" {visible_in_line(row.service)[:names].ljust(names)}  ")
    words = [row.step] if busy or row.state == board.FAILED else [row.state]
    detail = visible_in_line("  ".join(word for word in (*words, row.text) if word))
    space = max(0, width - len(line) - len(time) - 2)
    told = Text(detail, style="dim" if row.state in {board.WAITING, board.UNCHANGED} else "")
    told.truncate(space, overflow="crop" if ascii_only else "ellipsis", pad=True)
    return line.append_text(told).append(f"  {time}")
