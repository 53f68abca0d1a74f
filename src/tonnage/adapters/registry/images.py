"""Base images from their registries, read once and kept.

A manifest or configuration has its digest for a name and is kept for ever. Which digest a tag has is asked again
after some minutes; when the registry cannot be reached, what was known last is used, and a note says so.
"""

from __future__ import annotations

import hashlib
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from msgspec.structs import replace

from tonnage.adapters.images import image_config as image_traces
from tonnage.adapters.images.image_files import usual_state
from tonnage.adapters.images.layers import chain_ids
from tonnage.adapters.registry import sizes
from tonnage.adapters.registry.access import Credentials, token_servers
from tonnage.adapters.registry.client import RegistryClient
from tonnage.adapters.registry.documents import (
    Manifest,
    chosen,
    configuration,
    has_digest,
    manifest_or_index,
)
from tonnage.errors import CannotFetchError
from tonnage.model.forecast.base_image import BaseImage, BaseLayer, ReadFrom
from tonnage.model.forecast.estimate import UNKNOWN
from tonnage.model.forecast.image_reference import image_name
from tonnage.model.references import OWN_REGISTRY

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from tonnage.adapters.registry.documents import (
        Blob,
        ImageConfig,
    )
    from tonnage.adapters.registry.sizes import ArchiveSize
    from tonnage.adapters.web.client import Web
    from tonnage.adapters.web.disk_cache import DiskCache
    from tonnage.model.forecast.image_reference import ImageName

_Told = TypeVar("_Told")
TAG_HOLDS_S = 600.0
_AT_ONCE = 8
_PASSING = frozenset({"unreachable", "rate limited", "offline"})
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400


class ImageRegistry:
    """Every registry that names of images lead to. Safe to use from several threads.

    Args:
        web: The door to the network; where it is offline, only what was kept is used.
        environment: Where the user's Docker configuration is found.
        mirrors: Addresses that stand in for Docker's own index, as the engine was told; they are tried first.
        insecure: Registries that the engine was told to speak to without TLS.
        tag_holds_s: For how many seconds a tag is not asked for again.
        packages_from: Where packages of the images' systems are taken from; empty for where this machine takes its own.
    """

    def __init__(
        self,
        web: Web,
        kept: DiskCache,
        *,
        environment: Mapping[str, str],
        mirrors: Sequence[str] = (),
        insecure: Collection[str] = (),
        tag_holds_s: float = TAG_HOLDS_S,
        packages_from: str = "",
    ) -> None:
        self._web = web
        self._kept = kept
        self._credentials = Credentials(environment)
        self._token_servers = token_servers(environment)
        self._mirrors = tuple(mirrors)
        self._insecure = tuple(insecure)
        self._tag_holds_s = tag_holds_s
        self._packages_from = packages_from
        self._lock = threading.Lock()
        self._clients: dict[str, tuple[RegistryClient, ...]] = {}

    def base_image(self, reference: str, platform: str) -> BaseImage:
        """Read an image without pulling it.

        Args:
            reference: Its name, with tag or digest; ``latest`` where neither is written.
            platform: For which platform, such as ``linux/amd64``.

        Returns:
            The image. What lies in it is told from its configuration and its history only.

        Raises:
            CannotFetchError: The name is none, or its registry cannot be reached, refuses, has no such image or none
                for the platform, or answers something that is not understood.
        """
        name = image_name(reference)
        if name is None:
            raise CannotFetchError(f"{reference!r} is not the name of an image", "not found")
        host, repository = _place(name)
        notes: list[str] = []
        named = digest = name.digest or self._digest(host, repository, name.tag or "latest", notes)
        found = manifest_or_index(self._manifest(host, repository, digest), reference)
        if not isinstance(found, Manifest):
            variant = chosen(found, platform)
            if variant is None:
                raise _no_platform(reference, platform, [each.platform for each in found])
            digest = variant.digest
            found = manifest_or_index(self._manifest(host, repository, digest), reference)
            if not isinstance(found, Manifest):
                raise CannotFetchError(f"{reference} is an index of indexes", "not understood")
        config = configuration(self._blob(host, repository, found.config), reference)
        if len(config.diff_ids) != len(found.layers):
            raise CannotFetchError(
                f"the configuration of {reference} has other layers than its manifest", "not understood"
            )
        image = self._image(reference, digest, found, config, self._sizes(host, repository, found), notes)
        return replace(image, named_digest=named)

    def has(self, reference: str) -> bool:
        """Tell whether its registry has an image under a name with a digest.

        Raises:
            CannotFetchError: The registry cannot be reached, refuses, or does not tell.
        """
        name = image_name(reference)
        if name is None or not name.digest:
            return False
        host, repository = _place(name)
        try:
            self._ask(host, lambda client: client.digest_of(repository, name.digest))
        except CannotFetchError as error:
            if error.cause == "not found":
                return False
            raise
        return True

    def _image(
        self,
        reference: str,
        digest: str,
        manifest: Manifest,
        config: ImageConfig,
        archives: Sequence[ArchiveSize | None],
        notes: Sequence[str],
    ) -> BaseImage:
        system = image_traces.distribution(reference, config.labels, config.history)
        return BaseImage(
            reference=reference,
            platform=config.platform,
            layers=tuple(
                BaseLayer(
                    chain_id=chain_id,
                    diff_id=diff_id,
                    image=sizes.image_bytes(archive, diff_id) if archive else UNKNOWN,
                    disk=sizes.disk_bytes(archive, diff_id) if archive else UNKNOWN,
                    source=archive.source if archive else "not reported by the registry",
                    compressed_bytes=blob.size_bytes,
                    digest=blob.digest,
                )
                for chain_id, diff_id, blob, archive in zip(
                    chain_ids(config.diff_ids), config.diff_ids, manifest.layers, archives, strict=True
                )
            ),
            config=config.base,
            origin=ReadFrom.CACHE if notes else ReadFrom.REGISTRY,
            image_id=manifest.config.digest,
            digest=digest,
            labels=config.labels,
            history=config.history,
            python=image_traces.python_version(reference, config.base.environment, config.history),
            distribution=system,
            apt=usual_state(system, mirror=self._packages_from),
            notes=(*notes, *_note_of_sizeless(archives)),
        )

    def _digest(self, host: str, repository: str, tag: str, notes: list[str]) -> str:
        """Return the digest of a tag: kept a short while, and for longer where nobody answers."""
        key = f"{host}/{repository}:{tag}"
        fresh = self._kept.read("tag", key, within_s=self._tag_holds_s)
        if fresh:
            return fresh.decode()
        try:
            digest = self._ask(host, lambda client: client.digest_of(repository, tag))
            if not digest:
                content = self._ask(host, lambda client: client.manifest(repository, tag))
                digest = _digest_of(content)
                self._kept.keep("manifest", digest, content)
        except CannotFetchError as error:
            old = self._kept.read("tag", key)
            if not old or error.cause not in _PASSING:
                raise
            age = _age(self._kept.age_s("tag", key) or 0.0)
            notes.append(f"{repository}:{tag} is what it was {age} ago: {error.what}")
            return old.decode()
        self._kept.keep("tag", key, digest.encode())
        return digest

    def _manifest(self, host: str, repository: str, digest: str) -> bytes:
        return self._by_digest("manifest", host, digest, lambda client: client.manifest(repository, digest))

    def _blob(self, host: str, repository: str, blob: Blob) -> bytes:
        return self._by_digest("config", host, blob.digest, lambda client: client.blob(repository, blob.digest))

    def _by_digest(self, kind: str, host: str, digest: str, fetch: Callable[[RegistryClient], bytes]) -> bytes:
        content = self._kept.read(kind, digest)
        if content is None or not has_digest(content, digest):
            content = self._ask(host, fetch)
            self._kept.keep(kind, digest, content)
        return content

    def _sizes(self, host: str, repository: str, manifest: Manifest) -> list[ArchiveSize | None]:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(lambda blob: self._size(host, repository, blob), manifest.layers))

    def _size(self, host: str, repository: str, blob: Blob) -> ArchiveSize | None:
        """Return how large a layer is unpacked, by as few bytes of it as tell it; None where nothing does."""
        if blob.told_bytes is not None:
            return sizes.uncompressed(blob.told_bytes)
        if blob.size_bytes is None:
            return None
        if blob.media_type.endswith((".tar", "rootfs.diff.tar")):
            return sizes.uncompressed(blob.size_bytes)
        kept = self._kept.read("ends", blob.digest)
        if kept is None:
            kept = self._ends(host, repository, blob, blob.size_bytes)
            if kept is None:
                return sizes.by_ratio(blob.size_bytes)
            self._kept.keep("ends", blob.digest, kept)
        ends = json.loads(kept)
        head, tail = bytes.fromhex(ends["head"]), bytes.fromhex(ends["tail"])
        told = sizes.from_zstd_head(head) if head else sizes.from_gzip_tail(tail, blob.size_bytes)
        return told or sizes.by_ratio(blob.size_bytes)

    def _ends(self, host: str, repository: str, blob: Blob, size_bytes: int) -> bytes | None:
        """Fetch the bytes of a layer that tell its size; None where they cannot be had."""
        zstd = blob.media_type.endswith("zstd")
        count = sizes.ZSTD_HEAD_BYTES if zstd else sizes.GZIP_TAIL_BYTES
        if size_bytes < count:
            return None
        first = 0 if zstd else size_bytes - count
        try:
            part = self._ask(host, lambda client: client.part(repository, blob.digest, first, first + count - 1))
        except CannotFetchError:
            # The sizes of the manifest are enough for an estimate.
            return None
        if part is None:
            return None
        return json.dumps({"head": part.hex() if zstd else "", "tail": "" if zstd else part.hex()}).encode()

    def _ask(self, host: str, ask: Callable[[RegistryClient], _Told]) -> _Told:
        """Ask the mirrors of a registry, then itself; a mirror that lacks something is no failure."""
        *mirrors, itself = self._clients_of(host)
        for mirror in mirrors:
            try:
                return ask(mirror)
            except CannotFetchError:
                continue
        return ask(itself)

    def _clients_of(self, host: str) -> tuple[RegistryClient, ...]:
        with self._lock:
            if host not in self._clients:
                mirrors = self._mirrors if host == OWN_REGISTRY else ()
                self._clients[host] = tuple(
                    RegistryClient(
                        self._web,
                        self._credentials,
                        host,
                        insecure=self._insecure,
                        at=at,
                        token_servers=self._token_servers,
                    )
                    for at in (*mirrors, "")
                )
            return self._clients[host]


def _place(name: ImageName) -> tuple[str, str]:
    """Return registry and repository of a name, as an engine completes it."""
    host = name.domain or OWN_REGISTRY
    if host == f"index.{OWN_REGISTRY}":
        host = OWN_REGISTRY
    if host == OWN_REGISTRY and "/" not in name.path:
        return host, f"library/{name.path}"
    return host, name.path


def _note_of_sizeless(archives: Sequence[ArchiveSize | None]) -> tuple[str, ...]:
    """Return what is to be said of layers whose size is none."""
    sizeless = sum(archive is None for archive in archives)
    told = f"the size of {sizeless} of its {len(archives)} layers is not known: the manifest tells none"
    return (told,) if sizeless else ()


def _digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _no_platform(reference: str, platform: str, there: Sequence[str]) -> CannotFetchError:
    return CannotFetchError(
        f"{reference} has no image for {platform}",
        "not found",
        why=f"It has: {', '.join(sorted(set(there))) or 'none at all'}.",
        todo="Choose another image, or another platform with --platform.",
    )


def _age(seconds: float) -> str:
    for unit, count in (("day", _DAY_S), ("hour", _HOUR_S), ("minute", _MINUTE_S)):
        number = int(seconds // count)
        if number:
            return f"{number} {unit}{'s' if number > 1 else ''}"
    return "a moment"
