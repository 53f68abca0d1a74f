"""Wheels that services could share, the images that hold shared ones, and why others are not shared."""

from __future__ import annotations

from msgspec import Struct


class SharedWheel(Struct, frozen=True):
    """One wheel that may lie in an image of its own.

    Args:
        digest: ``sha256:...`` of the archive.
        index: The index that it is fetched from; empty for the usual one.
        kept_bytes: What the engine keeps of it for each image that has a copy of its own.
        inner_bytes: What it keeps of it in a stage of which an image only has copies.
        archive_bytes: What pip keeps of it until all is installed.
    """

    name: str
    version: str
    digest: str
    index: str = ""
    kept_bytes: int = 0
    inner_bytes: int = 0
    archive_bytes: int = 0

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
        base_line: Where the stage begins that stands on it, where others do as well; else 0.
        stage: The number of that stage.
        inner: The image does not consist of that stage, but has copies of what is installed there.
        ground: The identity of that image.
        target: The Python and the platform that its wheels were chosen for.
        environment: The virtual environment that they are installed into; empty for the Python of the image.
        compiles: The bytecode of its wheels is written when they are installed.
        layers: For each wheel the layer that has it without sharing, by identity; empty for one that is there already.
    """

    service: str
    base: str = ""
    base_line: int = 0
    stage: int = 0
    inner: bool = False
    ground: str = ""
    target: str = ""
    environment: str = ""
    compiles: bool = True
    wheels: tuple[SharedWheel, ...] = ()
    layers: tuple[str, ...] = ()
    apart: tuple[Apart, ...] = ()

    @property
    def kept_bytes(self) -> int:
        """What the engine keeps of its wheels."""
        return sum(each.inner_bytes if self.inner else each.kept_bytes for each in self.wheels)

    @property
    def architecture(self) -> str:
        """The machine that its wheels are for, as uname names it."""
        return self.target.rpartition(" ")[2].partition("-")[0]

    @property
    def place(self) -> tuple[str, str, bool]:
        """What has to be the same for services that share anything."""
        where = f" in {self.environment}" if self.environment else ""
        return self.ground, f"{self.target}{where}", self.compiles


class SharedImage(Struct, frozen=True, kw_only=True):
    """An image with wheels that services stand on.

    Args:
        reference: Its name, which tells its content.
        on: The image that it stands on itself.
        services: Who stands on it, also by way of another one.
        environment: The virtual environment that they are in; empty for the Python of the image.
        place: Tells where it fits: what it stands on, the Python, and whether bytecode is written.
        saved_bytes: What is not kept a second time.
        present: The engine has it.
    """

    reference: str
    on: str
    services: tuple[str, ...]
    wheels: tuple[SharedWheel, ...]
    place: str
    environment: str = ""
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

    @property
    def passing(self) -> frozenset[str]:
        """The images of which no service's image consists: they are needed only while services are built."""
        outer = {each.service for each in self.offers if not each.inner}
        return frozenset(each.reference for each in self.images if outer.isdisjoint(each.services))

    def below(self, service: str) -> tuple[SharedImage, ...]:
        """Return the images that a service stands on, lowest first."""
        return tuple(each for each in self.images if service in each.services)
