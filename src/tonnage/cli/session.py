"""One invocation of the command: where its output goes and what it may reach.

Answers go to standard output: as text for people, or as JSON where it was asked for. Progress, notes and errors go to
standard error. Nothing of strangers goes to either but through :mod:`tonnage.escapes`.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, TextIO

from tonnage.errors import TonnageError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from typing import Protocol

    from tonnage.flows.cluster.ports import ClusterPorts
    from tonnage.flows.deploy import EventView
    from tonnage.flows.ports import CiPorts, RehearsalPorts, WatchPorts
    from tonnage.flows.ship.stack import ShipPorts

    class AllPorts(RehearsalPorts, CiPorts, WatchPorts, ShipPorts, ClusterPorts, Protocol):
        """What commands may reach: all that their use cases need."""


LOG_WIDTH = 100
"""Columns for tables where there is no terminal."""


def _shown(text: str) -> str:
    from tonnage.addresses import redacted  # noqa: PLC0415 - help does without it
    from tonnage.escapes import shortened, visible  # noqa: PLC0415 - help does without it

    return shortened(visible(redacted(text)))


class Session:
    """One invocation.

    Attributes:
        json: Whether JSON was asked for.
        streams: Whether the command's JSON is a stream of events rather than one document.
        quiet: Whether only answers, warnings and errors are written.
        verbose: Whether the commands that are run and what is asked are told as well.
        stopping: Whether a signal asked the run to stop.
        printed: Whether a JSON document was printed.
        events_file: Where the events go as JSON lines besides; empty for nowhere.
        events_begun: Whether that file was opened by this invocation.
    """

    # A plain class: what makes data classes takes longer to import than help takes to be shown.
    def __init__(self, *, ports: AllPorts, stdout: TextIO, stderr: TextIO) -> None:
        self.ports = ports
        self.stdout = stdout
        self.stderr = stderr
        self.json = False
        self.streams = False
        self.quiet = False
        self.verbose = False
        self.stopping = False
        self.printed = False
        self.events_file = ""
        self.events_begun = False

    @property
    def terminal(self) -> bool:
        """Whether people read standard error on a terminal that can be drawn on."""
        return self.stderr.isatty() and self.ports.environment.get("TERM", "") not in {"", "dumb"}

    @property
    def width(self) -> int:
        """Columns for tables: those of the terminal that one of the streams is, also where a pager reads the other."""
        columns = self.ports.environment.get("COLUMNS", "")
        if columns.isdecimal() and int(columns) > 0:
            return int(columns)
        for stream in (self.stdout, self.stderr):
            if stream.isatty():
                with contextlib.suppress(OSError):
                    return os.get_terminal_size(stream.fileno()).columns or LOG_WIDTH
        return LOG_WIDTH

    @property
    def ascii_only(self) -> bool:
        """Whether standard output takes no characters beyond ASCII, or the locale of the user is ``C``."""
        # Python takes UTF-8 for the locale C, so that the encoding alone does not tell.
        named = (self.ports.environment.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG"))
        plain = next(filter(None, named), "") in {"C", "POSIX"}
        return plain or not (self.stdout.encoding or "").lower().replace("-", "").startswith("utf")

    def say(self, text: str) -> None:
        """Write progress or a note; nothing with ``--quiet``."""
        if not self.quiet:
            self.warn(text)

    def warn(self, text: str) -> None:
        """Write an error, a warning or a question; where nobody can read it any more, that changes nothing else."""
        with contextlib.suppress(OSError):
            self.stderr.write(self._coloured(_shown(text), self.stderr) + "\n")
            self.stderr.flush()

    def choose_detail(self, *, quiet: bool = False, verbose: bool = False) -> None:
        """Take what was typed of ``--quiet`` and ``--verbose``.

        Raises:
            UsageError: Both were typed.
        """
        self.quiet = self.quiet or quiet
        self.verbose = self.verbose or verbose
        if self.quiet and self.verbose:
            raise UsageError("--quiet and --verbose exclude each other", todo="Leave one of them out.")
        if verbose:
            from tonnage.tracing import listen  # noqa: PLC0415 - only where it is asked for

            listen(self.warn)

    def show(self, text: str) -> None:
        """Write what people asked for to standard output; nothing where JSON was asked for.

        Raises:
            TonnageError: Standard output cannot be written.
        """
        if not self.json:
            self._print(self._coloured(_shown(text), self.stdout))

    def _coloured(self, text: str, stream: TextIO) -> str:
        """Return a text with the words in colour by which lines of ours say that something is wrong, on a terminal."""
        environment = self.ports.environment
        if not stream.isatty() or environment.get("NO_COLOR") or environment.get("TERM", "") in {"", "dumb"}:
            return text
        from tonnage.views.live.colours import coloured  # noqa: PLC0415 - only on a terminal

        return coloured(text)

    def print_document(self, kind: str, form: Mapping[str, object]) -> None:
        """Write one JSON document for programs.

        Raises:
            TonnageError: Standard output cannot be written.
        """
        from tonnage.views.json.forms import document, json_text  # noqa: PLC0415 - help does without it

        self.printed = True
        self._print(json_text(document(kind, dict(form))))

    def answer(self, kind: str, form: Callable[[], Mapping[str, object]], text: Callable[[], str]) -> None:
        """Give the answer of a command: the document where JSON was asked for, the text for people else."""
        if self.json:
            self.print_document(kind, form())
        else:
            self.show(text())

    def print_failure(self, form: Mapping[str, object]) -> None:
        """Write a failure for programs: as the last event of a stream, or as the one document.

        A document that was printed already tells the failure itself.
        """
        if self.printed and not self.streams:
            return
        from tonnage.views.json.forms import FORMAT, json_text  # noqa: PLC0415 - help does without it

        kind = "event" if self.streams else "document"
        text = json_text({"format": FORMAT, kind: "error", **form})
        if self.events_file:
            with contextlib.suppress(OSError, UsageError), self._events(again=self.events_begun) as events:
                events.write(text + "\n")
        if self.json:
            with contextlib.suppress(TonnageError):
                self._print(text)

    def print_text(self, text: str) -> None:
        """Write a text that was asked for, such as a file, to standard output.

        Raises:
            TonnageError: Standard output cannot be written.
        """
        from tonnage.escapes import visible  # noqa: PLC0415 - help does without it

        self._print(visible(text))

    def print_commands(self, text: str) -> None:
        """Write workflow commands of GitHub, whose values are escaped already, to standard output.

        Raises:
            TonnageError: Standard output cannot be written.
        """
        self._print(text)

    def save_page(self, file: str, page: str) -> None:
        """Write a page for a browser, whose names are escaped already, to a file; ``-`` is standard output.

        Raises:
            UsageError: The file cannot be written, or JSON goes to standard output.
            TonnageError: Standard output cannot be written.
        """
        from pathlib import Path  # noqa: PLC0415 - most commands write none

        from tonnage.own_files import write_whole  # noqa: PLC0415

        if file == "-":
            self._print(page)
            return
        try:
            write_whole(Path(file), page.encode(), project=(Path(self.ports.working_directory),))
        except OSError as error:
            raise UsageError(f"--html: {file} cannot be written", why=f"{error.strerror}.") from error
        self.say(f"written: {file}")

    def _print(self, text: str) -> None:
        try:
            self.stdout.write(text.removesuffix("\n") + "\n")
            self.stdout.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise TonnageError("standard output cannot be written", why=f"{error.strerror}.") from error

    @contextlib.contextmanager
    def event_view(self) -> Iterator[EventView]:
        """Open the view that suits: JSON lines, a live picture, or plain lines; a file of events besides.

        Raises:
            UsageError: The file of events cannot be written.
        """
        if not self.events_file:
            with self._view() as view:
                yield view
            return
        from tonnage.views.live.lines import JsonLinesView, SeveralViews  # noqa: PLC0415

        try:
            events = self._events()
        except OSError as error:
            raise UsageError(f"--events: {self.events_file} cannot be written", why=f"{error.strerror}.") from error
        self.events_begun = True
        with events, self._view() as shown, JsonLinesView(events, monotonic=self.ports.clock.monotonic) as written:
            yield SeveralViews(shown, written)

    def _events(self, *, again: bool = False) -> TextIO:
        """Open the file of events."""
        from pathlib import Path  # noqa: PLC0415 - most commands write none

        from tonnage.own_files import open_stream  # noqa: PLC0415

        project = (Path(self.ports.working_directory),)
        opened = open_stream(Path(self.events_file), append=again, project=project)
        return open(opened, "w", encoding="utf-8")  # noqa: PTH123 - a descriptor

    def _view(self) -> AbstractContextManager[EventView]:
        monotonic = self.ports.clock.monotonic
        if self.json:
            from tonnage.views.live.lines import JsonLinesView  # noqa: PLC0415

            return JsonLinesView(self.stdout, monotonic=monotonic)
        if self.quiet:
            from tonnage.views.live.lines import QuietView  # noqa: PLC0415

            return QuietView(self.stderr, monotonic=monotonic)
        if self.terminal and not self.verbose:
            from rich.console import Console  # noqa: PLC0415

            from tonnage.views.live.terminal import LiveView  # noqa: PLC0415

            return LiveView(Console(file=self.stderr), monotonic=monotonic, stopping=lambda: self.stopping)
        from tonnage.views.live.lines import PlainView  # noqa: PLC0415

        return PlainView(self.stderr, monotonic=monotonic)
