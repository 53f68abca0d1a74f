"""Packages for Node.js: what a command installs, what a lock names, and how large that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.model.forecast.estimate import NOTHING
from tonnage.model.forecast.installs import Effect

if TYPE_CHECKING:
    from tonnage.model.forecast.estimate import Estimate

NODE_LOCKS = {
    "npm": ("npm-shrinkwrap.json", "package-lock.json"),
    "yarn": ("yarn.lock",),
    "pnpm": ("pnpm-lock.yaml",),
    "bun": ("bun.lock",),
}
"""The lock files that each program reads, the first that is there."""


class NodeInstall(Effect, frozen=True, kw_only=True):
    """``npm ci``, ``yarn install``, ``pnpm install``, ``bun install`` and their like.

    Args:
        manager: Which program it is.
        directory: Where ``package.json`` and the lock lie.
        packages: What is named on the line; with any the lock alone does not tell what comes.
        globally: They are installed for the whole image.
        production: What is only needed for development is left out.
        without_optional: What is optional is left out.
        scripts: Packages may run their own scripts.
        fetches: Packages are only fetched into the cache (``pnpm fetch``).
        cache: The directory of its cache.
    """

    manager: str
    directory: str
    packages: tuple[str, ...] = ()
    globally: bool = False
    production: bool = False
    without_optional: bool = False
    scripts: bool = True
    fetches: bool = False
    cache: str = ""


class NodeTarget(Struct, frozen=True):
    """What packages are chosen for.

    Args:
        system: As Node.js names it: ``linux``.
        machine: As Node.js names it: ``x64``, ``arm64``.
        musl: Whether the C library is musl; None where that is not known.
    """

    system: str = "linux"
    machine: str = "x64"
    musl: bool | None = None


class NodePackage(Struct, frozen=True, kw_only=True):
    """One package as a lock names it.

    Args:
        address: Where its archive lies; empty where the lock does not say.
        copies: In how many places it is installed.
        development: Only what is for development needs it.
        optional: The install goes on without it.
        systems: Which it is for, ``!`` before those that it is not for; empty for all.
        machines: The same.
        libraries: The same, of C libraries: ``glibc``, ``musl``.
        scripts: It runs a script when it is installed.
    """

    name: str
    version: str
    address: str = ""
    copies: int = 1
    development: bool = False
    optional: bool = False
    systems: tuple[str, ...] = ()
    machines: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    scripts: bool = False


class NodeLock(Struct, frozen=True, kw_only=True):
    """What a lock says.

    Args:
        packages: Everything that it names, whatever it is for.
        notes: What is to be said of it.
        doubtful: It does not fit its project, or is of a newer form: its figures may be others.
    """

    packages: tuple[NodePackage, ...]
    notes: tuple[str, ...] = ()
    doubtful: bool = False


class NodeSize(Struct, frozen=True, kw_only=True):
    """How large one package is.

    Args:
        image: The bytes of its files.
        disk: Those of their blocks.
        packed: Its archive.
    """

    image: Estimate
    disk: Estimate
    packed: Estimate = NOTHING
