"""What BuildKit keeps of a context beside the layers: each file that it was sent, once for each directory.

Services that build from the same directory share it. Large files are counted each for itself and small ones by the
directory that they lie in, so that what two services are sent alike is counted once.

Source: ``source/local`` of BuildKit 0.8; measured with Docker 20.10.24.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from tonnage.model.forecast.estimate import Estimate, Grade, exactly
from tonnage.model.forecast.sized_effects import Aside

if TYPE_CHECKING:
    from collections.abc import Sequence

_ITSELF = Estimate(16_384, 49_152, 131_072, Grade.EXACT)
_LARGE_BYTES = 1_000_000
_DEPTH = 3


def kept_sources(context: str, files: Sequence[tuple[str, int]], sent: set[str]) -> tuple[Aside, ...]:
    """Return what is kept of the files that one instruction needs."""
    fresh = [(path, disk_bytes) for path, disk_bytes in files if path not in sent]
    sent.update(path for path, _ in fresh)
    groups: dict[str, list[tuple[str, int]]] = {}
    for path, disk_bytes in fresh:
        name = path if disk_bytes >= _LARGE_BYTES else "/".join(path.split("/")[:-1][:_DEPTH]) + "/"
        groups.setdefault(name, []).append((path, disk_bytes))
    if not groups:
        return ()
    itself = Aside(key=f"context:{context}", name="the builder's copy of the context", disk=_ITSELF)
    return (itself, *(_kept(context, name, group) for name, group in groups.items()))


def _kept(context: str, name: str, group: Sequence[tuple[str, int]]) -> Aside:
    digest = hashlib.sha256(repr(sorted(group)).encode(errors="surrogatepass")).hexdigest()
    disk = exactly(sum(disk_bytes for _, disk_bytes in group))
    return Aside(key=f"context:{context}\0{name}\0{digest}", name=f"{name} of the context", disk=disk)
