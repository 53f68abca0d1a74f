"""What a stage stands on: an image, its layers with their bytes, and what is known of what lies in it.

Everything here can come from the engine or from a registry; nothing tells that an image was started to find it out.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct, field

from tonnage.model.forecast.estimate import NOTHING
from tonnage.model.forecast.recipe import BaseConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.model.forecast.estimate import Estimate


class ReadFrom(StrEnum):
    """Where an image was read."""

    ENGINE = "engine"
    REGISTRY = "registry"
    CACHE = "cache"


class BaseLayer(Struct, frozen=True, kw_only=True):
    """One layer of a base image.

    Args:
        chain_id: Its identity on top of all those below it.
        image: Its bytes as ``docker images`` counts them: the bytes of its files.
        disk: What it takes on a disk: files in whole blocks, directories.
        source: How ``image`` is known, in words, such as ``the last four bytes of the gzip stream``.
        compressed_bytes: Its bytes in the registry, or in the engine's own store of blobs; None where neither tells.
        digest: Its digest in the registry; empty where no registry was asked.
    """

    chain_id: str
    diff_id: str
    image: Estimate
    disk: Estimate
    source: str
    compressed_bytes: int | None = None
    digest: str = ""


class Distribution(Struct, frozen=True, kw_only=True):
    """Which system lies in an image.

    Args:
        name: As ``ID`` in ``os-release``: debian, ubuntu, alpine, ...
        version: As ``VERSION_ID``: 12, 24.04, 3.20; empty where not known.
        suite: As ``VERSION_CODENAME``: bookworm, noble; empty where there is none.
    """

    name: str
    version: str = ""
    suite: str = ""

    @property
    def musl(self) -> bool:
        """Whether its C library is musl, so that other wheels fit."""
        return self.name in {"alpine", "postmarketos", "chimera"}

    @property
    def keeps_logins(self) -> bool | None:
        """Whether its ``useradd`` gives every number a place in the logs of logins; None where that is not known.

        Source: shadow 4.13 of Debian 12 only writes over what is there: measured, and pull request 558 of shadow. Older
        ones make ``/var/log/lastlog`` longer where that is there: Debian and Ubuntu have it, Alpine has not.
        """
        if self.musl:
            return False
        major, last = self.version.partition(".")[0], {"debian": 11, "ubuntu": 22}.get(self.name)
        return None if last is None or not (major.isascii() and major.isdecimal()) else int(major) <= last


class AptSource(Struct, frozen=True, kw_only=True):
    """One place that apt takes packages from.

    Args:
        address: Where it is, without a slash at the end.
        suite: Such as ``bookworm-updates``.
        components: Such as ``main``; empty where ``suite`` is a path.
    """

    address: str
    suite: str
    components: tuple[str, ...] = ("main",)


class AptState(Struct, frozen=True, kw_only=True):
    """What apt and dpkg of an image know.

    Args:
        installed: Version of each installed package, by name.
        provided: Names that installed packages provide besides their own, with a version where one is told.
        sources: Where packages come from, in order.
        keeps_debs: Whether the fetched ``.deb`` files stay after they were installed.
        keeps_caches: Whether apt keeps its own caches, ``pkgcache.bin`` and ``srcpkgcache.bin``.
        lists_compressed: Whether package lists are kept compressed.
        translations: Whether translated descriptions are fetched with the lists.
        path_excludes: What dpkg leaves out, as patterns.
        architecture: dpkg's own name of it, such as amd64; empty where it is not told.
    """

    installed: Mapping[str, str] = field(default_factory=dict)
    provided: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[AptSource, ...] = ()
    recommends: bool = True
    keeps_debs: bool = True
    keeps_caches: bool = True
    lists_compressed: bool = False
    translations: bool = True
    path_excludes: tuple[str, ...] = ()
    architecture: str = ""


class BaseImage(Struct, frozen=True, kw_only=True):
    """An image that a stage stands on.

    Args:
        reference: As it was asked for.
        platform: Such as ``linux/amd64`` or ``linux/arm64/v8``.
        layers: Its chain, lowest first.
        image_id: The digest of its configuration.
        digest: The digest of its manifest, for this platform; empty where no registry was asked.
        named_digest: The digest that its name has there: that of an index where there is one for several platforms.
        history: What made it, oldest first, as text.
        python: The Python that ``python`` or ``python3`` starts, such as 3.11.9 or 3.11; empty where not known.
        distribution: The system in it; None where not known.
        apt: What apt of it knows; None where that cannot be read without starting it.
        told: Its bytes as a whole, where the engine tells them; they can be known where those of its layers are not.
    """

    reference: str
    platform: str
    layers: tuple[BaseLayer, ...]
    config: BaseConfig
    origin: ReadFrom
    image_id: str = ""
    digest: str = ""
    named_digest: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    history: tuple[str, ...] = ()
    python: str = ""
    distribution: Distribution | None = None
    apt: AptState | None = None
    notes: tuple[str, ...] = ()
    told: Estimate | None = None

    @property
    def local(self) -> bool:
        """Whether the engine has it already."""
        return self.origin is ReadFrom.ENGINE

    @property
    def chain(self) -> tuple[str, ...]:
        """The chain ids, lowest first."""
        return tuple(layer.chain_id for layer in self.layers)

    @property
    def image(self) -> Estimate:
        """Its bytes as ``docker images`` counts them."""
        return self.told or sum((layer.image for layer in self.layers), NOTHING)

    @property
    def disk(self) -> Estimate:
        """What all its layers take on a disk that has none of them."""
        return sum((layer.disk for layer in self.layers), NOTHING)

    @property
    def compressed_bytes(self) -> int | None:
        """Bytes to be fetched from the registry when no layer is there; None where that is not known."""
        counted = [layer.compressed_bytes for layer in self.layers]
        known = [count for count in counted if count is not None]
        return sum(known) if len(known) == len(counted) else None


SCRATCH = BaseImage(reference="scratch", platform="", layers=(), config=BaseConfig(), origin=ReadFrom.ENGINE)
