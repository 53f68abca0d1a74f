"""The real outside of forecasting: the engine, registries, package indexes, contexts. Each question is asked once.

What answers a question is imported when the question is asked: most builds ask few of them.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

from msgspec.structs import replace

from tonnage.adapters.context.compression import Packing
from tonnage.adapters.context.context_files import ContextFiles, open_context
from tonnage.adapters.context.copied_files import CopyMeter
from tonnage.adapters.context.copy_digest import FileTokens
from tonnage.adapters.context.dockerfiles import dockerfile_text
from tonnage.adapters.context.inputs_digest import is_remote
from tonnage.adapters.context.known_copies import KnownCopies
from tonnage.adapters.context.known_sums import KnownSums
from tonnage.adapters.web.client import Web
from tonnage.adapters.web.disk_cache import DiskCache
from tonnage.adapters.web.permission import AskedServers
from tonnage.adapters.web.remote_sizes import RemoteSizes
from tonnage.errors import UsageError
from tonnage.flows.state import cache_directory
from tonnage.forecast.gather.single_flight import SingleFlight
from tonnage.model.forecast.estimate import exactly
from tonnage.model.references import tagged
from tonnage.wiring.directory_context import DirectoryContext
from tonnage.wiring.users_servers import users_servers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.adapters.apt.lists import FetchedIndex
    from tonnage.adapters.docker.base_images import EngineImages
    from tonnage.adapters.docker.throwaway_container import EngineProbe
    from tonnage.adapters.interface import EngineFacts
    from tonnage.adapters.registry.images import ImageRegistry
    from tonnage.flows.requests import LookupScope
    from tonnage.forecast.node.registry import NodeRegistry
    from tonnage.forecast.python.index_access import IndexAccess
    from tonnage.forecast.python.source_archives import SourceArchives
    from tonnage.forecast.python.uv import Uv
    from tonnage.model.forecast.base_image import AptSource, AptState, BaseImage
    from tonnage.model.forecast.debian_package import AptForecast
    from tonnage.model.forecast.effects import AptInstall, AptUpdate
    from tonnage.model.forecast.estimate import Estimate
    from tonnage.model.forecast.node_packages import NodePackage, NodeSize
    from tonnage.model.forecast.python_lock import Lock, LockedRequest, ResolveRequest, Target, WheelContents
    from tonnage.model.inventory import Image
    from tonnage.model.stack import BuildSpec

_NOT_AT_ALL_S = -1.0
_DEBIAN = {"arm": "armhf", "386": "i386", "ppc64le": "ppc64el"}


class RealLookups:
    """Everything that forecasting reads, from the real outside.

    Args:
        engine: Images of the engine; None without an engine.
        probe: Asks apt of a base image in a throw-away container; None where that is not allowed.
        mirrors: Stand-ins for Docker's own index that the engine was told.
        insecure: Registries that the engine was told to speak to without TLS.
        untrusted: Ask only servers that everybody knows, and those that the user configured.
        ask_hosts: Further ones that the user lets be asked.
        from_registries: Images that are asked of their registries now, whatever the engine has or was asked before.
        answers: What was found out before on the same engine, and gets what is found out; None for nothing.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        cache: Path,
        *,
        engine: EngineImages | None = None,
        offline: bool = False,
        probe: EngineProbe | None = None,
        mirrors: Sequence[str] = (),
        insecure: Sequence[str] = (),
        untrusted: bool = False,
        ask_hosts: Sequence[str] = (),
        from_registries: Sequence[str] = (),
        answers: SingleFlight | None = None,
    ) -> None:
        self._from_registries = frozenset(map(tagged, from_registries))
        self._environment = environment
        self._engine = engine
        self._probe = probe
        configured = users_servers(environment, (*mirrors, *insecure), self._uv)
        allowed = AskedServers(untrusted=untrusted, configured=configured, ask_hosts=ask_hosts)
        self._web = Web(environment, offline=offline, allowed=allowed, led=allowed.lead, asks_some=untrusted)
        self._cache = cache
        self._kept = DiskCache(cache)
        self._mirrors = mirrors
        self._insecure = insecure
        self._heads = RemoteSizes(self._web, self._kept)
        self._meter = CopyMeter(self._heads)
        self._tokens = FileTokens(KnownSums(self._kept))
        self._packing = Packing(self._kept)
        self._copies = KnownCopies(self._kept)
        self._once = SingleFlight()
        self._over = threading.Event()
        self._answers = answers or SingleFlight()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End what is still asked, and close every connection."""
        self._over.set()
        self._tokens.keep()
        self._web.close()

    @property
    def fetched_bytes(self) -> int:
        """How many bytes were received so far by its own requests."""
        return self._web.fetched_bytes

    def dockerfile(self, spec: BuildSpec) -> str:
        """Return the text of a Dockerfile.

        Raises:
            UsageError: It cannot be read.
        """
        if not spec.dockerfile:
            return spec.dockerfile_inline
        if is_remote(spec.context):
            raise UsageError(
                f"the Dockerfile of {spec.context} lies where only the builder reaches it",
                why="Its context is an address.",
                place=str(spec.place or ""),
            )
        try:
            return dockerfile_text(spec)
        except OSError as error:
            raise UsageError(
                f"the Dockerfile {spec.dockerfile} cannot be read",
                why=f"{error.strerror or error}.",
                todo="Write it, or name another one under build.dockerfile.",
                place=str(spec.place or ""),
            ) from error

    def context(self, spec: BuildSpec, directory: str = "") -> DirectoryContext:
        """Return the context of a build, or another directory that is named in it."""
        if directory:
            there = Path(directory).is_dir()
            files = ContextFiles(directory) if there else None
            return self._once.ask(("context", directory), lambda: self._directory(files, directory))
        key = f"{spec.context}\0{spec.dockerfile}"
        return self._once.ask(("context", key), lambda: self._directory(self._files(spec), spec.context))

    def _files(self, spec: BuildSpec) -> ContextFiles | None:
        return self._answers.ask(("files", spec.context, spec.dockerfile), lambda: open_context(spec))

    def _directory(self, files: ContextFiles | None, key: str) -> DirectoryContext:
        return DirectoryContext(files, key, self._meter, self._tokens, self._packing, self._copies)

    def base_image(self, reference: str, platform: str) -> BaseImage:
        """Return an image: from the engine, else from its registry.

        Raises:
            CannotFetchError: It cannot be had.
            EngineUnreachableError: The engine stopped answering.
        """
        return self._answers.ask(("image", reference, platform), lambda: self._base_image(reference, platform))

    def engine_image(self, reference: str, platform: str) -> BaseImage | None:
        """Return an image of the engine, which nobody else is asked for; None where it has none.

        Raises:
            EngineUnreachableError: The engine stopped answering.
        """
        return self._engine.base_image(reference, platform) if self._engine is not None else None

    def _base_image(self, reference: str, platform: str) -> BaseImage:
        if tagged(reference) in self._from_registries:
            return self._once.ask("registry now", lambda: self._registry(tag_holds_s=_NOT_AT_ALL_S)).base_image(
                reference, platform
            )
        found = self.engine_image(reference, platform)
        return (
            found if found is not None else self._once.ask("registry", self._registry).base_image(reference, platform)
        )

    def _registry(self, *, tag_holds_s: float | None = None) -> ImageRegistry:
        from tonnage.adapters.registry.images import TAG_HOLDS_S, ImageRegistry  # noqa: PLC0415

        return ImageRegistry(
            self._web,
            self._kept,
            environment=self._environment,
            mirrors=self._mirrors,
            insecure=self._insecure,
            tag_holds_s=TAG_HOLDS_S if tag_holds_s is None else tag_holds_s,
        )

    def resolve(self, request: ResolveRequest, target: Target) -> Lock:
        """Resolve requirements.

        Raises:
            CannotResolveError: There is no solution.
            CannotFetchError: The index cannot be reached, and nothing is known of earlier.
        """
        from tonnage.forecast.python.resolution import resolve  # noqa: PLC0415

        access = self._access(request)
        return self._answers.ask(
            ("lock", request, target),
            lambda: resolve(
                request, target, uv=self._uv(), archives=self._archives(), web=self._web, access=access,
                kept=self._kept, cancel=self._over,
            ),
        )  # fmt: skip

    def _uv(self) -> Uv:
        from tonnage.forecast.python.uv import Uv  # noqa: PLC0415

        return self._once.ask("uv", lambda: Uv(self._cache / "uv", self._environment))

    def _archives(self) -> SourceArchives:
        from tonnage.forecast.python.source_archives import SourceArchives  # noqa: PLC0415

        return self._once.ask("archives", lambda: SourceArchives(self._web, self._kept))

    def locked(self, request: LockedRequest, target: Target) -> Lock:
        """Return what an installer takes from a lock that lies beside a project.

        Raises:
            CannotResolveError: The lock cannot be read, or has nothing for this target.
            CannotFetchError: The lock has no addresses, and the index cannot be reached.
        """
        from tonnage.forecast.python.project_locks import read_locked  # noqa: PLC0415

        access = self._access(request.asked)
        return self._answers.ask(
            ("locked", request, target),
            lambda: read_locked(
                request, target, uv=self._uv(), archives=self._archives(), web=self._web, access=access,
                kept=self._kept, cancel=self._over,
            ),
        )  # fmt: skip

    def needs(self, request: LockedRequest) -> Sequence[str]:
        """Return the requirements of a project, from its ``pyproject.toml``.

        Raises:
            CannotResolveError: It cannot be read.
        """
        from tonnage.forecast.python.project_requirements import needs  # noqa: PLC0415

        return needs(request)

    def contents(self, lock: Lock, request: ResolveRequest) -> Sequence[WheelContents]:
        """Return what lies inside the wheels of a lock."""
        from tonnage.forecast.python.wheels import read_wheels  # noqa: PLC0415

        access = self._access(request)
        # Services have most wheels in common: each is read once, by whoever comes first.
        read = self._answers.ask_all(
            lock.wheels,
            lambda mine: read_wheels(mine, web=self._web, access=access, kept=self._kept, cancel=self._over).contents,
        )
        if access.index_url in {"", request.index_url}:
            return read
        # The index is a setting of this machine, which a build does not see: where that fetches from may say otherwise.
        return [replace(each, cacheable=None) if each.cacheable is False else each for each in read]

    def _access(self, request: ResolveRequest) -> IndexAccess:
        from tonnage.forecast.python.index_access import index_access  # noqa: PLC0415

        asked = request.index_url, tuple(request.extra_index_urls), tuple(request.find_links)
        return self._once.ask(("access", *asked), lambda: index_access(request, self._environment))

    def packages(
        self, installs: Sequence[AptInstall], updates: Sequence[AptUpdate], base: BaseImage, platform: str
    ) -> AptForecast | None:
        """Return what apt will bring; None where no package index is known for the image."""
        state = base.apt
        if state is None or not (installs or updates):
            return None
        question = (
            "apt", base.reference, platform, state.keeps_caches,
            tuple((each.packages, each.recommends, each.target_release, each.upgrades) for each in installs),
        )  # fmt: skip
        return self._answers.ask(question, lambda: self._packages(installs, state, base, platform))

    def _packages(
        self, installs: Sequence[AptInstall], state: AptState, base: BaseImage, platform: str
    ) -> AptForecast | None:
        from tonnage.forecast.costs.apt.costs import apt_forecast, choose, probed_forecast  # noqa: PLC0415

        wanted = tuple(dict.fromkeys(name for each in installs for name in each.packages))
        recommends = any(each.recommends for each in installs)
        release = next((each.target_release for each in installs if each.target_release), "")
        upgrades = any(each.upgrades for each in installs)
        if self._probe is not None and base.local and wanted:
            told = self._probe.apt(
                base.image_id or base.reference, wanted, recommends=recommends, release=release, upgrades=upgrades
            )
            return probed_forecast(told, state)
        if not state.sources:
            return None
        architecture = state.architecture or _debian(platform)
        index = self._once.ask(("lists", state.sources, architecture), lambda: self._index(state.sources, architecture))
        choice = choose(index, wanted, state, recommends=recommends, release=release, upgrades=upgrades)
        found = apt_forecast(choice, index.lists(), state)
        notes = tuple(f"no list of packages from {each}" for each in index.missing)
        return replace(found, notes=(*found.notes, *notes))

    def _index(self, sources: Sequence[AptSource], architecture: str) -> FetchedIndex:
        from tonnage.adapters.apt.lists import AptLists  # noqa: PLC0415

        return self._once.ask("apt", lambda: AptLists(self._web, self._kept)).index(sources, architecture)

    def node_sizes(self, packages: Sequence[NodePackage]) -> tuple[Mapping[NodePackage, NodeSize], str]:
        """Return how large packages for Node.js are, as far as that is told, and why it is not of the others."""
        return self._answers.ask(("node", tuple(packages)), lambda: self._node().sizes(packages))

    def _node(self) -> NodeRegistry:
        from tonnage.forecast.node.npm_settings import npm_settings  # noqa: PLC0415
        from tonnage.forecast.node.registry import NodeRegistry  # noqa: PLC0415

        return self._once.ask(
            "npm",
            lambda: NodeRegistry(self._web, self._kept, npm_settings(self._environment), self._npm_default),
        )

    def _npm_default(self) -> str:
        from tonnage.adapters.host.npm import npm_default_registry  # noqa: PLC0415

        if self._web.asks_some:
            return ""
        return self._once.ask("npm default", lambda: npm_default_registry(self._environment, self._kept))

    def address(self, address: str) -> tuple[Estimate | None, str]:
        """Return how large the file behind an address is, or None and why that is not known."""
        told = self._once.ask(("address", address), lambda: self._heads.size(address))
        return (None if told.size_bytes is None else exactly(told.size_bytes)), told.reason


def open_lookups(
    environment: Mapping[str, str], facts: EngineFacts | None, images: Sequence[Image], scope: LookupScope
) -> RealLookups:
    """Open what forecasting reads.

    Args:
        facts: The engine; None without one.

    Returns:
        The lookups, with the mirrors and insecure registries that the engine was told.
    """
    from tonnage.adapters.docker.facts import DockerFacts  # noqa: PLC0415

    cache = cache_directory(environment) / "forecast"
    if not isinstance(facts, DockerFacts):
        return RealLookups(
            environment,
            cache,
            offline=scope.offline,
            untrusted=scope.untrusted,
            ask_hosts=scope.ask_hosts,
            from_registries=scope.from_registries,
            answers=scope.answers,
        )
    from tonnage.adapters.docker.base_images import EngineImages  # noqa: PLC0415

    probe: EngineProbe | None = None
    if scope.probe:
        # It speaks through the library for Docker, which takes a third of a small forecast to import.
        from tonnage.adapters.docker.throwaway_container import EngineProbe  # noqa: PLC0415

        probe = EngineProbe(facts.connection)
    registries = facts.registries()
    return RealLookups(
        environment,
        cache,
        engine=EngineImages(facts.connection, images, containerd=facts.images_root()),
        offline=scope.offline,
        probe=probe,
        mirrors=registries.mirrors,
        insecure=registries.insecure,
        untrusted=scope.untrusted,
        ask_hosts=scope.ask_hosts,
        from_registries=scope.from_registries,
        answers=scope.answers,
    )


def _debian(platform: str) -> str:
    """Return dpkg's name of an architecture."""
    name = [*platform.split("/"), ""][1]
    return _DEBIAN.get(name, name or "amd64")
