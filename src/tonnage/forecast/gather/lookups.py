"""What forecasting asks of the outside: base images, contexts, indexes, addresses. Only reads; nothing is started.

Every method raises only classes of :mod:`tonnage.errors`; what cannot be found out is a result of the forecast, not its
end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.forecast.gather.visible_files import TextFile
    from tonnage.model.forecast.base_image import BaseImage
    from tonnage.model.forecast.debian_package import AptForecast, DebPackage
    from tonnage.model.forecast.effects import AptInstall, AptUpdate
    from tonnage.model.forecast.estimate import Estimate
    from tonnage.model.forecast.file_tree import Tree
    from tonnage.model.forecast.node_packages import NodePackage, NodeSize
    from tonnage.model.forecast.python_lock import (
        LocalWheel,
        Lock,
        LockedRequest,
        ResolveRequest,
        Target,
        WheelContents,
    )
    from tonnage.model.forecast.recipe import CopyInstruction
    from tonnage.model.stack import BuildSpec


class Copied(Struct, frozen=True):
    """What a ``COPY`` brings.

    Args:
        by_name: What tells its files from others by their last names, modes and content, wherever they lie.
        by_path: The same with their paths in the context.
        files: Path in the context and bytes on the disk of everything that the builder is sent for it.
    """

    tree: Tree
    by_name: str
    by_path: str
    files: tuple[tuple[str, int], ...] = ()


class BuildContext(Protocol):
    """The directory that a build takes files from."""

    @property
    def key(self) -> str:
        """Its identity: two builds from the same directory share what is kept of it."""

    def copied(self, copy: CopyInstruction, *, packing: bool = False) -> Copied:
        """Measure what an instruction copies or adds.

        Args:
            packing: Try how far the files compress as well.
        """

    def whole(self) -> Tree:
        """Measure all of it, as the builder before BuildKit copies it."""

    def text(self, path: str) -> TextFile | None:
        """Return a text file in it; None where there is none that the builder sees."""

    def named(self) -> Mapping[str, str]:
        """Return files in it that the builder sees and installs name: by path where each really lies.

        They are wheels, packages of Debian, and what tells that a directory is a project of Python.
        """

    def wheel(self, path: str) -> LocalWheel | None:
        """Read a wheel in it; None where it is none that can be read."""

    def package(self, path: str) -> DebPackage | None:
        """Read what a package of Debian says of itself; None where it is none that can be read."""


class Lookups(Protocol):
    """Everything that forecasting reads. Safe to use from several threads."""

    def dockerfile(self, spec: BuildSpec) -> str:
        """Return the text of a Dockerfile.

        Raises:
            UsageError: It cannot be read.
        """

    def context(self, spec: BuildSpec, directory: str = "") -> BuildContext:
        """Return the context of a build, or another directory that is named in it."""

    def base_image(self, reference: str, platform: str) -> BaseImage:
        """Return an image: from the engine, else from its registry.

        Raises:
            CannotFetchError: It cannot be had.
            EngineUnreachableError: The engine stopped answering.
        """

    def engine_image(self, reference: str, platform: str) -> BaseImage | None:
        """Return an image of the engine, which nobody else is asked for; None where it has none.

        Raises:
            EngineUnreachableError: The engine stopped answering.
        """

    def resolve(self, request: ResolveRequest, target: Target) -> Lock:
        """Resolve requirements.

        Raises:
            CannotResolveError: There is no solution.
            CannotFetchError: The index cannot be reached, and nothing is known of earlier.
        """

    def locked(self, request: LockedRequest, target: Target) -> Lock:
        """Return what an installer takes from a lock that lies beside a project.

        Raises:
            CannotResolveError: The lock cannot be read, or has nothing for this target.
            CannotFetchError: The lock has no addresses, and the index cannot be reached.
        """

    def needs(self, request: LockedRequest) -> Sequence[str]:
        """Return the requirements of a project, from its ``pyproject.toml``.

        Raises:
            CannotResolveError: It cannot be read.
        """

    def contents(self, lock: Lock, request: ResolveRequest) -> Sequence[WheelContents]:
        """Return what lies inside the wheels of a lock."""

    def packages(
        self, installs: Sequence[AptInstall], updates: Sequence[AptUpdate], base: BaseImage, platform: str
    ) -> AptForecast | None:
        """Return what apt will bring; None where no package index is known for the image.

        Raises:
            CannotFetchError: The index cannot be reached.
        """

    def node_sizes(self, packages: Sequence[NodePackage]) -> tuple[Mapping[NodePackage, NodeSize], str]:
        """Return how large packages for Node.js are, as far as that is told, and why it is not of the others."""

    def address(self, address: str) -> tuple[Estimate | None, str]:
        """Return how large the file behind an address is, or None and why that is not known."""
