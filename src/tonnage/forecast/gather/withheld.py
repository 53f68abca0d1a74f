"""Values of the process environment go into no request: what holds one is not asked, and said not to be.

A service that holds values is looked up twice. The first time they have marks (:mod:`tonnage.model.marks`), nothing but
images without marks is asked, and every question is written down. The second time only what was written down without
marks is asked; whatever was done with a value in between, what came of it has marks and is not among it. A value may
still choose between addresses that are written in the files, and be the whole address of a package index.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from msgspec import Struct, field
from msgspec.structs import replace

from tonnage.addresses import hosts_of
from tonnage.errors import CannotFetchError
from tonnage.forecast.gather.lookups import Copied
from tonnage.model.forecast.estimate import UNKNOWN
from tonnage.model.forecast.file_tree import Tree
from tonnage.model.forecast.image_reference import image_name
from tonnage.model.marks import is_marked, is_marked_throughout, marked_parts, unmarked

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from tonnage.forecast.gather.lookups import BuildContext, Lookups
    from tonnage.forecast.gather.visible_files import TextFile
    from tonnage.model.forecast.base_image import BaseImage
    from tonnage.model.forecast.debian_package import AptForecast, DebPackage
    from tonnage.model.forecast.effects import AptInstall, AptUpdate
    from tonnage.model.forecast.estimate import Estimate
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

ALL_HOSTS = "all"
_DOCKER = "docker.io"


class Questions(Struct):
    """What a service was found to ask: with marks, where it holds values."""

    images: set[str] = field(default_factory=set)
    addresses: set[str] = field(default_factory=set)
    requests: set[ResolveRequest] = field(default_factory=set)
    locks: set[LockedRequest] = field(default_factory=set)
    packages: set[NodePackage] = field(default_factory=set)


class MarkedLookups:
    """Writes down what is asked, and asks nobody but for images without marks. Satisfies ``Lookups``."""

    def __init__(self, inner: Lookups) -> None:
        self._inner = inner
        self.questions = Questions()

    def dockerfile(self, spec: BuildSpec) -> str:
        """Return the text of a Dockerfile."""
        return self._inner.dockerfile(spec)

    def context(self, spec: BuildSpec, directory: str = "") -> BuildContext:
        """Return the context of a build, whose files are not measured."""
        return _MarkedContext(self._inner.context(spec, unmarked(directory)), self.questions)

    def base_image(self, reference: str, platform: str) -> BaseImage:
        """Return an image; of one with marks what the engine has."""
        self.questions.images.add(reference)
        if is_marked(reference):
            found = self.engine_image(unmarked(reference), unmarked(platform))
            return found if found is not None else _unanswered()
        return self._inner.base_image(reference, unmarked(platform))

    def engine_image(self, reference: str, platform: str) -> BaseImage | None:
        """Return an image of the engine."""
        return self._inner.engine_image(reference, platform)

    def resolve(self, request: ResolveRequest, target: Target) -> Lock:  # noqa: ARG002 - the same for every Python
        """Write down a request."""
        self.questions.requests.add(_normal(request))
        _unanswered()

    def locked(self, request: LockedRequest, target: Target) -> Lock:  # noqa: ARG002 - as above
        """Write down a request."""
        self.questions.locks.add(replace(request, asked=_normal(request.asked)))
        _unanswered()

    def needs(self, request: LockedRequest) -> Sequence[str]:
        """Return the requirements of a project."""
        return self._inner.needs(request)

    def contents(self, lock: Lock, request: ResolveRequest) -> Sequence[WheelContents]:  # noqa: ARG002 - there is no lock
        """Return nothing: nothing was resolved."""
        return ()

    def packages(
        self,
        installs: Sequence[AptInstall],  # noqa: ARG002 - they are looked for in lists that are fetched whole
        updates: Sequence[AptUpdate],  # noqa: ARG002 - as above
        base: BaseImage,  # noqa: ARG002 - as above
        platform: str,  # noqa: ARG002 - as above
    ) -> AptForecast | None:
        """Return nothing: lists of packages are those of the image, whatever is installed."""
        return None

    def node_sizes(self, packages: Sequence[NodePackage]) -> tuple[Mapping[NodePackage, NodeSize], str]:
        """Write down packages for Node.js."""
        self.questions.packages.update(packages)
        return {}, ""

    def address(self, address: str) -> tuple[Estimate | None, str]:
        """Write down an address."""
        self.questions.addresses.add(address)
        return None, ""


class _MarkedContext:
    def __init__(self, inner: BuildContext, questions: Questions) -> None:
        self._inner = inner
        self._questions = questions
        self.key = inner.key

    def copied(self, copy: CopyInstruction, *, packing: bool = False) -> Copied:  # noqa: ARG002 - nothing is counted
        self._questions.addresses.update(copy.sources if copy.adds else ())
        return Copied(Tree(), "", "")

    def whole(self) -> Tree:
        return Tree()

    def text(self, path: str) -> TextFile | None:
        return self._inner.text(unmarked(path))

    def named(self) -> Mapping[str, str]:
        return self._inner.named()

    def wheel(self, path: str) -> LocalWheel | None:
        return self._inner.wheel(path)

    def package(self, path: str) -> DebPackage | None:
        return self._inner.package(path)


class GuardedLookups:
    """Asks what may be asked. Satisfies ``Lookups``.

    Args:
        questions: What was written down.
        held: The variables whose values the service holds, each with its marked value.
        ask_hosts: Hosts that the user lets be asked all the same; ``all`` for every one.
    """

    def __init__(
        self, inner: Lookups, questions: Questions, held: Sequence[tuple[str, str]], ask_hosts: Collection[str]
    ) -> None:
        self._inner = inner
        self._questions = questions
        self._held = held
        self._ask_hosts = ask_hosts

    def dockerfile(self, spec: BuildSpec) -> str:
        """Return the text of a Dockerfile."""
        return self._inner.dockerfile(spec)

    def context(self, spec: BuildSpec, directory: str = "") -> BuildContext:
        """Return the context of a build."""
        return _GuardedContext(self._inner.context(spec, directory), self)

    def base_image(self, reference: str, platform: str) -> BaseImage:
        """Return an image: from the engine, else from its registry where that may be asked."""
        name = image_name(reference)
        hosts = [] if name is None else [name.domain.rpartition(":")[0] or name.domain or _DOCKER]
        if reference in self._questions.images or self._lets_ask(hosts):
            return self._inner.base_image(reference, platform)
        found = self.engine_image(reference, platform)
        if found is None:
            raise self._withheld("its registry was not asked", reference, self._questions.images, hosts)
        return found

    def engine_image(self, reference: str, platform: str) -> BaseImage | None:
        """Return an image of the engine."""
        return self._inner.engine_image(reference, platform)

    def resolve(self, request: ResolveRequest, target: Target) -> Lock:
        """Resolve requirements."""
        self._check(_normal(request) in self._questions.requests, request)
        return self._inner.resolve(request, target)

    def locked(self, request: LockedRequest, target: Target) -> Lock:
        """Return what an installer takes from a lock."""
        self._check(replace(request, asked=_normal(request.asked)) in self._questions.locks, request.asked)
        return self._inner.locked(request, target)

    def needs(self, request: LockedRequest) -> Sequence[str]:
        """Return the requirements of a project."""
        return self._inner.needs(request)

    def contents(self, lock: Lock, request: ResolveRequest) -> Sequence[WheelContents]:
        """Return what lies inside the wheels of a lock, which was asked for."""
        return self._inner.contents(lock, request)

    def packages(
        self, installs: Sequence[AptInstall], updates: Sequence[AptUpdate], base: BaseImage, platform: str
    ) -> AptForecast | None:
        """Return what apt will bring: its lists are those of the image."""
        return self._inner.packages(installs, updates, base, platform)

    def node_sizes(self, packages: Sequence[NodePackage]) -> tuple[Mapping[NodePackage, NodeSize], str]:
        """Return how large packages for Node.js are, of those that may be asked for."""
        asked = [each for each in packages if ALL_HOSTS in self._ask_hosts or each in self._questions.packages]
        found, why = self._inner.node_sizes(asked)
        left = "some stand only in a lock that holds values of the environment" if len(asked) < len(packages) else ""
        return found, "; ".join(filter(None, (why, left)))

    def address(self, address: str) -> tuple[Estimate | None, str]:
        """Return how large the file behind an address is."""
        why = self.why_not(address)
        return (None, why) if why else self._inner.address(address)

    def why_not(self, address: str) -> str:
        """Return why an address is not asked; empty where it is."""
        hosts = hosts_of([address])
        if address in self._questions.addresses or self._lets_ask(hosts):
            return ""
        what = f"{', '.join(hosts) or address} was not asked"
        error = self._withheld(what, address, self._questions.addresses, hosts)
        return f"{error.what}: {error.why.removesuffix('.')}"

    def _lets_ask(self, hosts: Collection[str]) -> bool:
        return ALL_HOSTS in self._ask_hosts or (bool(hosts) and all(each in self._ask_hosts for each in hosts))

    def _check(self, written_down: bool, request: ResolveRequest) -> None:  # noqa: FBT001 - what was just found
        hosts = hosts_of(word for word in _words(request).split() if "://" in word)
        if not (written_down or self._lets_ask(hosts)):
            known = (*self._questions.requests, *(each.asked for each in self._questions.locks))
            raise self._withheld("the package index was not asked", _words(request), map(_words, known), hosts)

    def _withheld(self, what: str, question: str, known: Iterable[str], hosts: Iterable[str]) -> CannotFetchError:
        parts = {part for each in known if unmarked(each) == question for part in marked_parts(each)}
        names = [name for name, value in self._held if value in parts] or [name for name, _ in self._held]
        return CannotFetchError(
            what,
            "withheld",
            why=f"What it would be sent holds a value of the environment or of a file outside ({', '.join(names)});"
            f" --ask-hosts {','.join(hosts) or ALL_HOSTS} asks all the same.",
        )


class _GuardedContext:
    def __init__(self, inner: BuildContext, guard: GuardedLookups) -> None:
        self._inner = inner
        self._guard = guard
        self.key = inner.key

    def copied(self, copy: CopyInstruction, *, packing: bool = False) -> Copied:
        addresses = [each for each in copy.sources if copy.adds and _is_address(each)]
        notes = {each: self._guard.why_not(each) for each in addresses}
        left_out = [each for each in addresses if notes[each]]
        if not left_out:
            return self._inner.copied(copy, packing=packing)
        rest = replace(copy, sources=tuple(each for each in copy.sources if each not in left_out))
        found = self._inner.copied(rest, packing=packing)
        why = tuple(notes[each] for each in left_out)
        unknown = Tree(image=UNKNOWN, disk=UNKNOWN, download=UNKNOWN, inodes=1, notes=why)
        said = "\1".join(("", *left_out))
        return replace(found, tree=found.tree + unknown, by_name=found.by_name + said, by_path=found.by_path + said)

    def whole(self) -> Tree:
        return self._inner.whole()

    def text(self, path: str) -> TextFile | None:
        return self._inner.text(path)

    def named(self) -> Mapping[str, str]:
        return self._inner.named()

    def wheel(self, path: str) -> LocalWheel | None:
        return self._inner.wheel(path)

    def package(self, path: str) -> DebPackage | None:
        return self._inner.package(path)


def _unanswered() -> NoReturn:
    raise CannotFetchError("nothing is asked yet", "withheld")


def _normal(request: ResolveRequest) -> ResolveRequest:
    """Return what tells requests apart: what is installed goes to no server, and an index may be a value as a whole."""
    return replace(
        request,
        installed=(),
        kept=(),
        left_out=(),
        index_url=_bare_index(request.index_url),
        extra_index_urls=tuple(map(_bare_index, request.extra_index_urls)),
    )


def _bare_index(url: str) -> str:
    return unmarked(url) if is_marked_throughout(url) else url


def _words(request: ResolveRequest) -> str:
    """Return everything of a request that servers may see."""
    return " ".join(
        (*request.requirements, *request.constraints, request.index_url, *request.extra_index_urls, *request.find_links)
    )


def _is_address(source: str) -> bool:
    return "://" in source or source.startswith("git@")
