"""What the user wants of every plan, and what earlier runs taught: what planning needs besides stack and inventory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

if TYPE_CHECKING:
    from tonnage.model.deploy.plan import Version
    from tonnage.model.forecast.estimate import Estimate


class Policy(Struct, frozen=True, kw_only=True):
    """Settings that planning depends on.

    Args:
        keep_free_bytes: The line as the user set it; None for the default share of the filesystem.
        keep_previous: Keep the image of the previous good version, so that rollback needs no build.
        cleanup_after: Remove after each service what its steps left: build cache of this run, superseded images.
            For ``build``: remove the built image as well.
        push: Push what was built (``build`` only).
        assume_unknown_bytes: What a forecast assumes for each command whose bytes nobody knows.
        forecast: Forecast builds from metadata before they are planned.
    """

    keep_free_bytes: int | None = None
    keep_previous: bool = True
    cleanup_after: bool = True
    push: bool = False
    assume_unknown_bytes: int = 500_000_000
    forecast: bool = True


class Learned(Struct, frozen=True, kw_only=True):
    """What earlier runs of one kind of step measured: forecast material with the grade ``learned``.

    Args:
        kept: Bytes kept.
        transient: Bytes needed on top and given back.
        seconds: How long it took, the last time.
        runs: How many runs it was learned from.
    """

    kept: Estimate
    transient: Estimate
    seconds: float
    runs: int


class Taught(Struct, frozen=True, kw_only=True):
    """What earlier runs measured of one instruction.

    Args:
        image: Bytes that its layer added to the image.
        disk: What the filesystem kept; nothing known where it could not be told from others.
        transient: What was needed on top.
        runs: How many runs it was learned from.
    """

    image: Estimate
    disk: Estimate
    transient: Estimate
    runs: int


class History(Struct, frozen=True, kw_only=True):
    """What the journal knows about one stack on one engine.

    Args:
        learned: By the step's learn key.
        versions: Good versions, oldest first; withdrawn ones (rolled away from) are not among them.
        taught: What instructions of Dockerfiles wrote, by their learn key, whatever stack they were in.
        built: Layers that instructions made on this engine: the identity of the layer and the image that has it.
    """

    learned: dict[str, Learned] = field(default_factory=dict)
    versions: tuple[Version, ...] = ()
    taught: dict[str, Taught] = field(default_factory=dict)
    built: tuple[tuple[str, str], ...] = ()

    def versions_of(self, service: str) -> tuple[Version, ...]:
        """Return the good versions of one service, oldest first."""
        return tuple(version for version in self.versions if version.service == service)


class Setting(Struct, frozen=True, kw_only=True):
    """One setting with where its value comes from.

    Args:
        key: As in ``x-tonnage``, such as ``keep-free``.
        value: As text, the way a user would write it.
        origin: ``default``, ``x-tonnage (file:line)``, ``environment (NAME)`` or ``flag (--name)``.
        meaning: One sentence.
    """

    key: str
    value: str
    origin: str
    meaning: str
