"""Wheels that services could share, the images that hold shared ones, and why others are not shared."""

from __future__ import annotations

from msgspec import Struct


class SharedWheel(Struct, frozen=True):
    """One wheel that may lie in an image of its own.

    Args:
        digest: ``sha256:...`` of the archive.
        index: The index that it is fetched from; empty for the usual one.
        kept_bytes: What the engine keeps of it for each image that has a copy of its own.
    """

    name: str
    version: str
    digest: str
    index: str = ""
    kept_bytes: int = 0

    @property
    def piece(self) -> str:
        """What it is called among the pieces of a layer."""
        return f"{self.name} {self.version}"


class Apart(Struct, frozen=True):
    """Something that a service does not share, and why."""

    what: str
    why: str


class WheelOffer(Struct, frozen=True, kw_only=True):
    """What of one service could be shared.

    Args:
        base: The image that it stands on, as its Dockerfile names it; empty where nothing of it can be shared.
        ground: The identity of that image.
        target: The Python and the platform that its wheels were chosen for.
        compiles: The bytecode of its wheels is written when they are installed.
        layers: For each wheel the layer that has it without sharing, by identity; empty for one that is there already.
    """

    service: str
    base: str = ""
    ground: str = ""
    target: str = ""
    compiles: bool = True
    wheels: tuple[SharedWheel, ...] = ()
    layers: tuple[str, ...] = ()
    apart: tuple[Apart, ...] = ()

    @property
    def kept_bytes(self) -> int:
        """What the engine keeps of its wheels."""
        return sum(each.kept_bytes for each in self.wheels)

    @property
    def architecture(self) -> str:
        """The machine that its wheels are for, as uname names it."""
        return self.target.rpartition(" ")[2].partition("-")[0]

    @property
    def place(self) -> tuple[str, str, bool]:
        """What has to be the same for services that share anything."""
        return self.ground, self.target, self.compiles


class SharedImage(Struct, frozen=True, kw_only=True):
    """An image with wheels that services stand on.

    Args:
        reference: Its name, which tells its content.
        on: The image that it stands on itself.
        services: Who stands on it, also by way of another one.
        place: Tells where it fits: what it stands on, the Python, and whether bytecode is written.
        saved_bytes: What is not kept a second time.
        present: The engine has it.
    """

    reference: str
    on: str
    services: tuple[str, ...]
    wheels: tuple[SharedWheel, ...]
    place: str
    saved_bytes: int = 0
    compiles: bool = True
    present: bool = False

    @property
    def kept_bytes(self) -> int:
        """What the engine keeps of its wheels."""
        return sum(each.kept_bytes for each in self.wheels)


class OtherVersion(Struct, frozen=True, kw_only=True):
    """A service that would have another version of a package.

    Args:
        old: The version that it has.
        place: The line that asks for it; empty where that is not known.
        brought_by: The packages that it comes along with, nearest first; empty where the line names it itself.
    """

    service: str
    old: str
    place: str = ""
    brought_by: tuple[str, ...] = ()


class Agreement(Struct, frozen=True, kw_only=True):
    """One version of a package in place of several.

    Args:
        saves_bytes: What is kept less then.
        why: Why it does not hold; empty where it does.
    """

    name: str
    version: str
    changes: tuple[OtherVersion, ...]
    saves_bytes: int = 0
    why: str = ""


class Sharing(Struct, frozen=True, kw_only=True):
    """What the services of a stack share.

    Args:
        images: Each after the one that it stands on.
        offers: What each service could share, and what not.
        off: Services that share nothing because that is said.
        most_bytes: What would be saved if every wheel were stored once.
        agreements: Versions that services could agree on, where that was asked for.
    """

    images: tuple[SharedImage, ...] = ()
    offers: tuple[WheelOffer, ...] = ()
    off: tuple[str, ...] = ()
    most_bytes: int = 0
    agreements: tuple[Agreement, ...] = ()

    def below(self, service: str) -> tuple[SharedImage, ...]:
        """Return the images that a service stands on, lowest first."""
        return tuple(each for each in self.images if service in each.services)
