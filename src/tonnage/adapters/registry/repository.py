"""Repositories of one registry, as far as images that go through it are concerned: which blobs and manifests are there.

Nothing is kept from one run to the next: what a registry has may be removed at any time.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tonnage.adapters.registry.access import Credentials, token_servers
from tonnage.adapters.registry.client import RegistryClient
from tonnage.adapters.registry.documents import Manifest, chosen, manifest_or_index
from tonnage.errors import CannotFetchError
from tonnage.model.references import OWN_REGISTRY
from tonnage.model.ship import PushedManifest, StoredBlob

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from tonnage.adapters.registry.documents import Blob
    from tonnage.adapters.web.client import Web

_AT_ONCE = 8


class Repositories:
    """Satisfies ``ShipRegistry``.

    Args:
        environment: Where the user's Docker configuration is found.
        insecure: Registries that the engine was told to speak to without TLS.
    """

    def __init__(self, web: Web, *, environment: Mapping[str, str], insecure: Collection[str] = ()) -> None:
        self._web = web
        self._credentials = Credentials(environment)
        self._token_servers = token_servers(environment)
        self._insecure = tuple(insecure)
        self._clients: dict[str, RegistryClient] = {}

    def blobs(self, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
        """Return the bytes of those blobs that are there.

        Args:
            wanted: Repositories, each with its registry, and digests.

        Raises:
            CannotFetchError: The registry cannot be reached, or does not tell.
        """
        asked = tuple(dict.fromkeys(wanted))
        clients = [self._client(repository) for repository, _ in asked]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            sizes = pool.map(lambda one: one[0][0].blob_bytes(one[0][1], one[1][1]), zip(clients, asked, strict=True))
            return {each: size for each, size in zip(asked, sizes, strict=True) if size is not None}

    def manifest(self, repository: str, digest: str, platform: str) -> PushedManifest:
        """Return an image that was pushed.

        Args:
            digest: Its manifest, or an index with one for the platform.

        Raises:
            CannotFetchError: The registry cannot be reached, refuses, has no such image, or answers something else.
        """
        client, path = self._client(repository)
        name = f"{repository}@{digest}"
        found = manifest_or_index(client.manifest(path, digest), name)
        if not isinstance(found, Manifest):
            variant = chosen(found, platform)
            found = manifest_or_index(client.manifest(path, variant.digest), name) if variant else ()
        if not isinstance(found, Manifest):
            raise CannotFetchError(f"{name} has no image for {platform}", "not found")
        return PushedManifest(_stored(found.config, name), tuple(_stored(layer, name) for layer in found.layers))

    def _client(self, repository: str) -> tuple[RegistryClient, str]:
        """Return the client of a repository's registry, and the repository's name there."""
        host, _, path = repository.partition("/")
        host = OWN_REGISTRY if host == f"index.{OWN_REGISTRY}" else host
        if host not in self._clients:
            self._clients[host] = RegistryClient(
                self._web, self._credentials, host, insecure=self._insecure, token_servers=self._token_servers
            )
        return self._clients[host], path


def _stored(blob: Blob, name: str) -> StoredBlob:
    if blob.size_bytes is None:
        raise CannotFetchError(f"the manifest of {name} tells no size of {blob.digest}", "not understood")
    return StoredBlob(blob.digest, blob.size_bytes, blob.media_type)
