"""What an engine has left in containerd since it keeps images in the classic store again.

It lies in containerd's namespace ``moby``, which the engine uses still: for its running containers, and for manifests
of what it pulled. So containerd itself is asked to let go of images and of the build cache there, and removes what
nothing refers to any more, in no namespace. Layers that a container stands on are referred to by it.

Source: moby, ``libcontainerd/types`` (the namespace), ``daemon/images/store.go`` (leases ``moby-image-...`` of the
classic store); buildkit, ``cache/manager.go`` and ``cache/refs.go`` (leases of records, ``-view`` and ``-variants``);
containerd, ``docs/garbage-collection.md``. Checked with Docker 26.1 and containerd 1.7.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.adapters import process
from tonnage.errors import CannotReclaimError, TonnageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tonnage.adapters.docker.containerd_root import Containerd

NAMESPACE = "moby"
_WITHIN_S = 20.0
_RECORD = "containerd.io/gc.flat="
_OF_RECORD = ("-view", "-variants")
_BLOCK_BYTES = 512
_AT_A_TIME = 200


class ContainerdLeft(Struct, frozen=True):
    """Names of images, leases of the build cache, and the bytes of all that they keep."""

    images: tuple[str, ...]
    leases: tuple[str, ...]
    size_bytes: int


def look_into(containerd: Containerd) -> ContainerdLeft:
    """Return what an engine of the classic store has left.

    Raises:
        TonnageError: containerd cannot be asked.
    """
    images = tuple(_lines(containerd, NAMESPACE, "images", "ls", "-q"))
    leases = tuple(_leases(_lines(containerd, NAMESPACE, "leases", "ls")))
    return ContainerdLeft(images, leases, _snapshot_bytes(containerd) + _blob_bytes(containerd))


def let_go(containerd: Containerd) -> None:
    """Let containerd remove what was left, as far as nothing else refers to it.

    Raises:
        CannotReclaimError: containerd refuses.
    """
    left = look_into(containerd)
    for what, names in (("images", left.images), ("leases", left.leases)):
        for begin in range(0, len(names), _AT_A_TIME):
            _ask(containerd, NAMESPACE, what, "rm", "--sync", *names[begin : begin + _AT_A_TIME])


def _leases(lines: Iterable[str]) -> Iterable[str]:
    """Return the leases of records of the build cache; others belong to images, containers, or what goes on now."""
    told = [line.split(None, 2) for line in lines][1:]
    records = {words[0] for words in told if any(_RECORD in word for word in words[1:])}
    for words in told:
        stem = next((words[0].removesuffix(end) for end in _OF_RECORD if words[0].endswith(end)), words[0])
        if words[0] in records or stem in records:
            yield words[0]


def _snapshot_bytes(containerd: Containerd) -> int:
    told = [line.split() for line in _lines(containerd, NAMESPACE, "snapshots", "usage", "-b")][1:]
    return sum(int(words[1]) for words in told if len(words) > 1 and words[1].isdecimal())


def _blob_bytes(containerd: Containerd) -> int:
    """Return the bytes of blobs that no other namespace has."""
    others = [name for name in _lines(containerd, "", "namespaces", "ls", "-q") if name != NAMESPACE]
    kept = {digest for name in others for digest in _lines(containerd, name, "content", "ls", "-q")}
    place = Path(containerd.root, "io.containerd.content.v1.content", "blobs")
    size_bytes = 0
    for digest in _lines(containerd, NAMESPACE, "content", "ls", "-q"):
        if digest not in kept:
            try:
                size_bytes += os.lstat(place.joinpath(*digest.split(":"))).st_blocks * _BLOCK_BYTES
            except OSError:
                continue
    return size_bytes


def _lines(containerd: Containerd, namespace: str, *words: str) -> list[str]:
    return _ask(containerd, namespace, *words).splitlines()


def _ask(containerd: Containerd, namespace: str, *words: str) -> str:
    where = ("--namespace", namespace) if namespace else ()
    asked = ("ctr", "--address", containerd.address, *where, *words)
    done = process.run(asked, timeout_s=_WITHIN_S)
    if done.exit_code:
        said = (done.stderr.strip() or done.stdout.strip() or f"ctr ended with {done.exit_code}").splitlines()[-1]
        raise CannotReclaimError("containerd was asked, and refused", why=f"{' '.join(asked[:6])}: {said}")
    return done.stdout


def why_unasked(containerd: Containerd | None) -> str:
    """Return why containerd cannot be asked; empty when it can."""
    if containerd is None:
        return "which containerd the engine uses cannot be seen"
    try:
        _ask(containerd, "", "namespaces", "ls", "-q")
    except TonnageError as error:
        return f"containerd cannot be asked: {error.what}"
    return ""
