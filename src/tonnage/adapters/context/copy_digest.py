"""What tells the files of one ``COPY`` from those of another, as builders do: by name, mode and content, not by time.

BuildKit knows a source by its last name and by what is in it, wherever it lies; the builder before it by its path in
the context. Large files are compared with each other only where they may be the same: reading gigabytes takes a while.

Source: measured with Docker 20.10.24; ``solver/llbsolver/ops/file.go`` and ``cache/contenthash`` of BuildKit 0.8.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.adapters.context.context_files import named_by
from tonnage.adapters.context.copied_files import is_address, on_disk
from tonnage.adapters.context.known_sums import KnownSums
from tonnage.model.forecast.python_lock import in_blocks
from tonnage.small_files import FileKind

if TYPE_CHECKING:
    from tonnage.adapters.context.context_files import ContextEntry, ContextFiles
    from tonnage.adapters.context.descent import Descent
    from tonnage.model.forecast.recipe import CopyInstruction

COMPARED_BYTES = 1_000_000
"""Larger files are compared with each other."""
_SMALL = FileKind("a file of a context that is compared by its sum", COMPARED_BYTES)
_PIECE_BYTES = 2**20
_BEGINNING_BYTES = 2**17
# So many files that begin alike are compared with each other; from the next one on each is read once.
_COMPARED = 2
_PIECES = 1_000


class CopyContents(Struct, frozen=True):
    """What the sources of an instruction are.

    Args:
        by_name: The same for the same files elsewhere.
        by_path: The same only for the same files at the same paths.
        files: Path in the context and bytes on the disk of each file and directory that the builder is sent for it.
    """

    by_name: str
    by_path: str
    files: tuple[tuple[str, int], ...] = ()


class FileTokens:
    """Gives files with the same content the same token. Safe to use from several threads.

    Args:
        sums: What is remembered of files of earlier commands.
    """

    def __init__(self, sums: KnownSums | None = None) -> None:
        self._sums = sums or KnownSums(None)
        self._lock = threading.Lock()
        self._known: dict[str, str] = {}
        self._large: dict[int, _SameSize] = {}

    def token(self, entry: ContextEntry, files: ContextFiles, way: Descent | None = None) -> str:
        """Return what stands for a file's content; for one that cannot be read what stands for itself alone.

        Args:
            way: Whoever asks for many files of a context keeps it between them.
        """
        with self._lock:
            found = self._sums.sum(entry, files) if entry.size_bytes <= _SMALL.most_bytes else ""
            if found:
                return found
            actual = entry.actual
            found = self._known.get(actual, "")
            if not found:
                try:
                    found = self._look(entry, files, way)
                except OSError:
                    found = actual
                self._known[actual] = found
            return found

    def keep(self) -> None:
        """Keep what was found out for later commands."""
        with self._lock:
            self._sums.keep()

    def _look(self, entry: ContextEntry, files: ContextFiles, way: Descent | None) -> str:
        if entry.size_bytes <= _SMALL.most_bytes:
            found = hashlib.sha256(files.read(entry, _SMALL, way)).hexdigest()
            self._sums.learn(entry, files, found)
            return found
        alike = self._large.setdefault(entry.size_bytes, _SameSize())
        return alike.token(_LargeFile(entry, files))


class _LargeFile(Struct, frozen=True):
    """A file that is not read as long as no other one may be the same."""

    entry: ContextEntry
    files: ContextFiles

    def opened(self) -> int:
        """Open it."""
        return self.files.open(self.entry)

    def own_token(self) -> str:
        """Return what stands for itself alone."""
        with open(self.opened(), "rb") as file:  # noqa: PTH123 - a descriptor
            return f"{self.entry.actual}\0{os.fstat(file.fileno()).st_mtime_ns}"

    def beginning(self) -> bytes:
        """Return what it begins with, which most large files of the same size have for themselves."""
        with open(self.opened(), "rb") as file:  # noqa: PTH123 - a descriptor
            return hashlib.sha256(file.read(_BEGINNING_BYTES)).digest()

    def sum(self) -> bytes:
        """Return the sum of all that it holds."""
        with open(self.opened(), "rb") as file:  # noqa: PTH123 - a descriptor
            return hashlib.file_digest(file, "sha256").digest()


class _SameSize:
    """Large files of one size: the first one is not read, the second one is compared with it, all others by sums."""

    def __init__(self) -> None:
        self._first: tuple[_LargeFile, str] | None = None
        self._alike: dict[bytes, list[tuple[_LargeFile, str]]] = {}
        self._sums: dict[bytes, dict[bytes, str]] = {}

    def token(self, file: _LargeFile) -> str:
        """Return the token of a file."""
        if self._first is None and not self._alike:
            self._first = (file, file.own_token())
            return self._first[1]
        if self._first is not None:
            self._alike[self._first[0].beginning()] = [self._first]
            self._first = None
        beginning = file.beginning()
        sums = self._sums.get(beginning)
        if sums is None:
            alike = self._alike.setdefault(beginning, [])
            if len(alike) < _COMPARED:
                found = next((token for other, token in alike if _same(file.opened(), other.opened())), "")
                if not found:
                    found = file.own_token()
                    alike.append((file, found))
                return found
            sums = self._sums[beginning] = {other.sum(): token for other, token in alike}
        return sums.setdefault(file.sum(), file.own_token())


def _same(one: int, other: int) -> bool:
    """Compare what two descriptors hold, and close them."""
    with open(one, "rb") as left, open(other, "rb") as right:
        while True:
            piece = left.read(_PIECE_BYTES)
            if piece != right.read(_PIECE_BYTES):
                return False
            if not piece:
                return True


def contents_of(copy: CopyInstruction, files: ContextFiles | None, tokens: FileTokens) -> CopyContents:
    """Look at the sources of an instruction.

    Args:
        files: The context; None where it lies elsewhere, so that an instruction is the same only by its words.

    Returns:
        What they are. Patterns of ``--exclude`` do not matter: what they leave out the builder is sent all the same.

    Raises:
        UsageError: The context cannot be read.
    """
    with contextlib.ExitStack() as stack:
        way = None if files is None else stack.enter_context(files.descent())
        looking = _CopyScan(tokens, way)
        for document in copy.inline:
            looking.say(f"{document.name}\0{document.body}\0", f"{document.name}\0{document.body}\0")
        looking.look_at(copy, files)
        return looking.contents()


def sent_files(copy: CopyInstruction, files: ContextFiles) -> tuple[tuple[str, int], ...]:
    """Return what ``contents_of`` finds of files and directories that the builder is sent, without looking into them.

    Raises:
        UsageError: The context cannot be read.
    """
    looking = _CopyScan(None, None)
    looking.look_at(copy, files)
    return looking.files


class _CopyScan:
    """The sources of one instruction while they are looked at."""

    def __init__(self, tokens: FileTokens | None, way: Descent | None) -> None:
        self._tokens = tokens
        self._way = way
        self._by_name, self._by_path = _LongText(), _LongText()
        self._names, self._paths = self._by_name.pieces, self._by_path.pieces
        self._files: dict[str, int] = {}

    def say(self, by_name: str, by_path: str) -> None:
        """Add words that tell contents from others."""
        self._names.append(by_name)
        self._paths.append(by_path)
        if len(self._names) >= _PIECES:
            self._by_name.take()
            self._by_path.take()

    def look_at(self, copy: CopyInstruction, files: ContextFiles | None) -> None:
        """Look at all sources of an instruction."""
        for source in copy.sources:
            if files is None or (copy.adds and is_address(source)):
                self.say(f"{source}\1", f"{source}\1")
                continue
            self.say(f"{_last_name(source)}\1", "\1")
            for path, entry in named_by(source, files).items():
                self.take(path, entry, files)

    def take(self, path: str, entry: ContextEntry, files: ContextFiles) -> None:
        """Add what is named, with all that is in it; of a link also the file that it leads to."""
        name = PurePosixPath(path).name
        self._add(entry, name, path, files)
        if entry.kind == "directory":
            self._add_below(path, name, files)
        elif entry.kind == "link" and (target := files.followed(entry)) is not None:
            self._add(target, name, target.path, files)

    def _add_below(self, directory: str, name: str, files: ContextFiles) -> None:
        """Add what lies in a directory, which may be a million files."""
        way, known = self._way, self._files
        if self._tokens is None:
            for entry in files.beginning_with(f"{directory}/" if directory else ""):
                path, kind = entry.path, entry.kind
                above = path.rpartition("/")[0]
                if above and above not in known:
                    self._know_above(above)
                known[path] = in_blocks(entry.size_bytes) if kind == "file" else on_disk(kind, entry.size_bytes)
            return
        token = self._tokens.token
        for inside, entry in files.below(directory):
            kind, size_bytes, path = entry.kind, entry.size_bytes, entry.path
            told = token(entry, files, way) if kind == "file" else entry.target
            said = f"\0{kind}\0{entry.mode}\0{size_bytes}\0{told}\0"
            self._names.append(f"{name}/{inside}{said}")
            self._paths.append(f"{path}{said}")
            if len(self._names) >= _PIECES:
                self._by_name.take()
                self._by_path.take()
            above = path.rpartition("/")[0]
            if above and above not in known:
                self._know_above(above)
            known[path] = in_blocks(size_bytes) if kind == "file" else on_disk(kind, size_bytes)

    def _know(self, path: str, kind: str, size_bytes: int) -> None:
        self._know_above(path.rpartition("/")[0])
        if path:
            self._files[path] = in_blocks(size_bytes) if kind == "file" else on_disk(kind, size_bytes)

    def _know_above(self, path: str) -> None:
        # Above one that is known all are.
        while path and path not in self._files:
            self._files[path] = on_disk("directory", 0)
            path = path.rpartition("/")[0]

    @property
    def files(self) -> tuple[tuple[str, int], ...]:
        """The files and directories that the builder is sent, each with its bytes on a disk."""
        return tuple(self._files.items())

    def contents(self) -> CopyContents:
        """Return what was found."""
        return CopyContents(self._by_name.hexdigest(), self._by_path.hexdigest(), self.files)

    def _add(self, entry: ContextEntry, name: str, path: str, files: ContextFiles) -> None:
        if self._tokens is None:
            self._know(path, entry.kind, entry.size_bytes)
            return
        token = self._tokens.token(entry, files, self._way) if entry.kind == "file" else entry.target
        said = f"\0{entry.kind}\0{entry.mode}\0{entry.size_bytes}\0{token}\0"
        self.say(name + said, path + said)
        self._know(path, entry.kind, entry.size_bytes)


class _LongText:
    """The sum of a text that comes in many short pieces."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self.pieces: list[str] = []

    def hexdigest(self) -> str:
        """Return the sum of all."""
        self.take()
        return self._digest.hexdigest()

    def take(self) -> None:
        """Take in the pieces that are waiting."""
        self._digest.update("".join(self.pieces).encode(errors="surrogatepass"))
        self.pieces.clear()


def _last_name(source: str) -> str:
    """Return the last name of a source; a whole directory that is written as ``PATH/.`` is taken for itself alone."""
    name = source.rstrip("/").rpartition("/")[2]
    return source if name == "." and source.strip("./") else name or "."
