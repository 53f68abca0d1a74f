"""What the user wants of every plan, besides the stack."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from tonnage.model.stack import InstallerChoice, PullWhen, Share  # noqa: TC001


class Cleanup(StrEnum):
    """When the build cache that a deploy left is removed."""

    AUTO = "auto"
    """Where later builds still find what is left of it."""
    ALWAYS = "always"
    """Everywhere: builds may run anew for it."""


class Together(StrEnum):
    """What a deploy that fails takes back."""

    SERVICE = "service"
    """The service whose step failed."""
    STACK = "stack"
    """With it the services that were switched over before it: they belong together."""


class BuildOn(StrEnum):
    """Where images for another machine are built: ``auto`` is there, and here where it cannot fit there."""

    AUTO = "auto"
    HERE = "here"
    THERE = "there"


class AtReserve(StrEnum):
    """What becomes of builds that come near the reserve."""

    PAUSE = "pause"
    """They wait until room was made, where that can be done."""
    HARD = "hard"
    """As ``pause``, and the engine itself stands still for moments where what it writes comes to the reserve."""
    STOP = "stop"
    """The newest is stopped and undone there."""


class Policy(Struct, frozen=True, kw_only=True):
    """Settings that planning depends on.

    Args:
        keep_free_bytes: The reserve as the user set it; None for the default share of the filesystem.
        keep_versions: How many good versions before the one that runs keep their images, so that rollback needs no
            build.
        cleanup_after: Remove after each service what its steps left: build cache of this run, superseded images.
            For ``build``: remove the built image as well.
        assume_unknown_bytes: What a forecast assumes for each command whose output cannot be predicted.
        forecast: Forecast builds from metadata before they are planned.
        rollback: What is taken back when a deploy fails.
        again: Also deploy what was rolled away from.
        proxy_labels: Patterns of further labels and variables by which a proxy routes.
        pull: When images are pulled, for all services and instead of what is written; None for that.
        no_build: Nothing is built for a deploy: images of services with a build section come from their registries.
        remove_orphans: Remove the containers of services that are in no file any more.
        adopt: Take over a project whose containers another stack of the same name started.
        parallel: How many images are built or pulled at the same time, where the bytes allow it.
        share: Whether services share wheels, where they say nothing themselves.
        installer: What installs wheels that are not shared, where services say nothing themselves.
        guard: What becomes of builds that come near the reserve.
    """

    keep_free_bytes: int | None = None
    keep_versions: int = 1
    cleanup_after: bool = True
    cleanup: Cleanup = Cleanup.AUTO
    push: bool = False
    assume_unknown_bytes: int = 500_000_000
    forecast: bool = True
    rollback: Together = Together.SERVICE
    again: bool = False
    proxy_labels: tuple[str, ...] = ()
    pull: PullWhen | None = None
    no_build: bool = False
    remove_orphans: bool = False
    adopt: bool = False
    parallel: int = 1
    share: Share = Share.AUTO
    installer: InstallerChoice = InstallerChoice.AS_WRITTEN
    guard: AtReserve = AtReserve.PAUSE


class Setting(Struct, frozen=True, kw_only=True):
    """One setting with where its value comes from.

    Args:
        key: As in ``x-tonnage``, such as ``keep-free``.
        origin: ``default``, ``x-tonnage (file:line)``, ``environment (NAME)`` or ``flag (--name)``.
    """

    key: str
    value: str
    origin: str
    meaning: str
