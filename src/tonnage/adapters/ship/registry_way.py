"""What engines do for images that go through a registry: push, pull by digest, and what each knows of packed layers.

The classic store notes the digests under which it pushed or pulled a layer. These notes decide what it pushes and
pulls again, so a plan reads them, through the engine as everything else of its store.

Source: moby 20.10 to 28.5, ``distribution/metadata/v2_metadata_service.go``: ``v2metadata-by-diffid`` holds the digests
of a layer with repositories, ``diffid-by-digest`` what a digest unpacks to.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct, field

from tonnage.adapters.docker import object_acts, transfer
from tonnage.decide.ship.manifests import DIGEST
from tonnage.errors import StepFailedError
from tonnage.lazily import learned, regex
from tonnage.model.ship import Moved, PackedLayer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tonnage.adapters.docker.connect import DockerConnection
    from tonnage.adapters.interface import Cancel
    from tonnage.adapters.ship.engine_files import EngineFiles

_NOTES_BYTES = 1_000_000
_TELL_EVERY_S = 0.5
_PUSHED = regex(r"[^ ]+: digest: (sha256:[0-9a-f]{64}) size: \d+")
_STAYED = frozenset({"Already exists", "Layer already exists"})


class _Note(Struct):
    digest: str = field(name="Digest", default="")
    repository: str = field(name="SourceRepository", default="")


def push_image(
    connection: DockerConnection,
    image_id: str,
    repository: str,
    tag: str,
    *,
    tell: Callable[[str], None],
    cancel: Cancel,
) -> Moved:
    """Push an image under a name that it has only meanwhile.

    Returns:
        The manifest, and the layers that the engine said it sent.

    Raises:
        StepFailedError: The registry refused, or it was stopped.
        EngineUnreachableError: The engine stops answering.
    """
    name = f"{repository}:{tag}"
    told = _HeardMoves(f"pushing {repository}", tell, ("Pushed",))
    object_acts.tag(connection, image_id, name)
    try:
        transfer.push(connection, name, progress=told, cancel=cancel, on_status=told.status)
    finally:
        object_acts.untag(connection, name)
    if not told.digest:
        raise StepFailedError(f"could not push {name}", why="The engine does not tell the digest of what it pushed.")
    return Moved(told.digest, frozenset(told.moved))


def pull_image(connection: DockerConnection, name: str, *, tell: Callable[[str], None], cancel: Cancel) -> Moved:
    """Pull an image by its digest.

    Returns:
        The layers that the engine said it fetched.

    Raises:
        StepFailedError: The registry does not give it, the disk is full, or it was stopped.
        EngineUnreachableError: The engine stops answering.
    """
    told = _HeardMoves(
        f"pulling {name.partition('@')[0]}", tell, ("Pulling fs layer", "Downloading", "Download complete")
    )
    transfer.pull(connection, name, progress=told, cancel=cancel, on_status=told.status)
    return Moved("", frozenset(told.moved))


def noted_digests(files: EngineFiles, diff_ids: Iterable[str]) -> dict[str, tuple[PackedLayer, ...]]:
    """Return the digests under which the classic store has pushed or pulled layers.

    Args:
        files: The store's tables, by the name ``image``.
    """
    found = {}
    for diff_id in dict.fromkeys(diff_ids):
        content = files.read(f"image/distribution/v2metadata-by-diffid/{diff_id.replace(':', '/')}", _NOTES_BYTES)
        if content is None:
            continue
        try:
            notes = msgspec.json.decode(content, type=learned(list[_Note]))
        except (ValueError, RecursionError):
            continue
        found[diff_id] = tuple(PackedLayer(n.digest, n.repository) for n in notes if DIGEST.fullmatch(n.digest))
    return found


def understood_digests(files: EngineFiles, digests: Iterable[str]) -> frozenset[str]:
    """Return the digests of which the classic store knows what they unpack to."""
    where = "image/distribution/diffid-by-digest"
    asked = dict.fromkeys(digest for digest in digests if DIGEST.fullmatch(digest))
    return frozenset(each for each in asked if files.size(f"{where}/{each.replace(':', '/')}") is not None)


class _HeardMoves:
    """Satisfies ``Progress``: passes on where a transfer is, and notes which layers really moved."""

    def __init__(self, what: str, tell: Callable[[str], None], moves: Iterable[str]) -> None:
        self._what, self._tell, self._moves = what, tell, frozenset(moves)
        self._told_s = time.monotonic()
        self.moved: set[str] = set()
        self.digest = ""

    def at(self, text: str) -> None:
        """Pass it on, at most twice in a second."""
        now_s = time.monotonic()
        if now_s - self._told_s >= _TELL_EVERY_S:
            self._told_s = now_s
            self._tell(f"{self._what}: {text}")

    def log(self, line: str) -> None:
        """Note the digest that the engine tells at the end of a push."""
        found = _PUSHED.fullmatch(line)
        if found is not None:
            self.digest = found[1]

    def status(self, layer: str, status: str) -> None:
        """Note what happened to a layer."""
        if layer and status in self._moves:
            self.moved.add(layer)
        elif status in _STAYED:
            self.moved.discard(layer)
