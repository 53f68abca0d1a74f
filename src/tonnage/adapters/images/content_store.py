"""What an image in containerd consists of: the blobs that its manifests name, as containerd keeps them on this machine.

No engine tells them. Two images share a blob by its digest, also where their layers stand on different ones; and
attestations and other platforms are blobs of an image like any other. Files are read, nothing is asked.

Source: containerd 1.6 to 2.1, ``plugins/content/local``; OCI image specification 1.1, "Image Index" and "Manifest".
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec
from msgspec import Struct, field

from tonnage.adapters.images.layers import chain_ids
from tonnage.lazily import learned, regex
from tonnage.small_files import MANIFEST, read_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

_BLOBS = "io.containerd.content.v1.content/blobs"
_DIGEST = regex(r"(sha256|sha512):([0-9a-f]{64,128})")
# An index may name indexes; one that names itself has no end.
_DEEPEST = 4
_MOST_MANIFESTS = 1000

_Form = TypeVar("_Form")


class _NamedBlob(Struct):
    digest: str = ""


class _ManifestOrIndex(Struct):
    """An index or a manifest: what either has."""

    manifests: list[_NamedBlob] = field(default_factory=list)
    config: _NamedBlob | None = None
    layers: list[_NamedBlob] = field(default_factory=list)


class _RootFs(Struct):
    diff_ids: list[str] = field(default_factory=list)


class _Configuration(Struct):
    rootfs: _RootFs | None = None


class ImageContent(Struct, frozen=True):
    """The blobs of one image that are here, by digest, and the digest of each layer's blob, by its chain id."""

    blobs: Mapping[str, int]
    layers: Mapping[str, str]


def content_of(root: str, image_id: str) -> ImageContent | None:
    """Return what an image consists of.

    Args:
        root: Where containerd keeps its files.
        image_id: The digest of its index or manifest.

    Returns:
        Its blobs; None where they cannot be read.
    """
    blobs: dict[str, int] = {}
    layers: dict[str, str] = {}
    seen: set[str] = set()
    waiting = [(image_id, 0)]
    while waiting and len(seen) < _MOST_MANIFESTS:
        digest, depth = waiting.pop()
        if digest in seen:
            continue
        seen.add(digest)
        document = _read(root, digest, _ManifestOrIndex)
        if document is None:
            if digest == image_id:
                return None
            # One for a platform that was not pulled.
            continue
        if depth < _DEEPEST:
            named_once = dict.fromkeys(each.digest for each in document.manifests[:_MOST_MANIFESTS])
            waiting += [(each, depth + 1) for each in named_once]
        named = [digest, *(each.digest for each in document.layers)]
        named += [document.config.digest] if document.config else []
        blobs |= {one: size for one in named if (size := _size(root, one)) is not None}
        told = _read(root, document.config.digest, _Configuration) if document.config else None
        diff_ids = told.rootfs.diff_ids if told and told.rootfs else []
        if len(diff_ids) == len(document.layers):
            layers |= dict(zip(chain_ids(diff_ids), (each.digest for each in document.layers), strict=True))
    return ImageContent(blobs, layers)


def _read(root: str, digest: str, form: type[_Form]) -> _Form | None:
    place = _place(root, digest)
    try:
        return msgspec.json.decode(read_bytes(place, MANIFEST), type=learned(form)) if place else None
    except (OSError, ValueError, RecursionError):
        return None


def _size(root: str, digest: str) -> int | None:
    place = _place(root, digest)
    try:
        return Path(place).lstat().st_size if place else None
    except OSError:
        return None


def _place(root: str, digest: str) -> str:
    """Return where a blob lies; nowhere for what is no digest."""
    match = _DIGEST.fullmatch(digest)
    return f"{root}/{_BLOBS}/{match[1]}/{match[2]}" if match else ""
