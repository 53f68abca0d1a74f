"""The Python of one stage, and which distributions lie in it: they are carried from instruction to instruction.

What is there already satisfies a later install, as it does for pip and uv. Of what may be there, because the install of
it stands under a condition, a later install may write all or nothing.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace
from packaging.requirements import InvalidRequirement

from tonnage.forecast.costs.base_layers import python_named, site_packages
from tonnage.forecast.costs.image_paths import any_covers, covers, moved
from tonnage.forecast.costs.installer_caches import UvPages
from tonnage.forecast.costs.removals import takes_bytecode
from tonnage.forecast.python.parsing import requirement
from tonnage.forecast.requirements.lines import normal_name
from tonnage.model.forecast.effects import ChangeMode
from tonnage.model.forecast.python_lock import LockOrigin, Other, Wheel

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from tonnage.model.forecast.base_image import Distribution
    from tonnage.model.forecast.effects import MakeEnvironment, Remove
    from tonnage.model.forecast.installs import PythonInstall
    from tonnage.model.forecast.python_lock import Lock, ResolveRequest, Sdist

_DEFAULT, _ELSEWHERE = "", "elsewhere"
# The version of uv that keeps small pages of an index; 0.13.0 does not.
_SMALL_PAGES = (0, 13, 9)


class Installed(Struct, frozen=True):
    """One distribution that is there.

    Args:
        what: What it was installed from.
        origin: The index that was named for it; empty for the default one, and a word for none at all.
        certain: It is there in any case.
    """

    what: Wheel | Sdist | Other
    origin: str = _DEFAULT
    certain: bool = True

    @property
    def version(self) -> str:
        """Its version; empty where that is not known."""
        return "" if isinstance(self.what, Other) else self.what.version

    @property
    def piece(self) -> str:
        """What it is called among the pieces of a layer."""
        return f"{self.what.name} {self.version}".strip()


class StagePython(Struct):
    """The Python of one stage, and what was installed with it so far.

    Args:
        version: Its version; empty where it is not known.
        overridden: The version was chosen by the user and holds for every install.
        ran: An installer that is written in Python has its own bytecode, because it ran already or came with it.
        reads_apart: Whether the image's pip reads what wheels need apart from them; None where nobody knows.
        environments: The version of each virtual environment that was made with another one.
        plain: Virtual environments of this Python that are as ``venv`` makes them.
        present: What is installed, by name, by the directory that it is in.
        handed_over: Paths that were given to another owner, or another mode, with all that is in them.
    """

    version: str
    platform: str
    distribution: Distribution | None = None
    overridden: bool = False
    ran: bool = False
    reads_apart: bool | None = None
    environments: dict[str, str] = field(default_factory=dict)
    plain: frozenset[str] = frozenset()
    present: dict[str, dict[str, Installed]] = field(default_factory=dict)
    handed_over: tuple[str, ...] = ()

    def above(self) -> StagePython:
        """Return that of a stage that stands on this one."""
        present = {place: dict(names) for place, names in self.present.items()}
        return replace(self, environments=dict(self.environments), present=present)

    def make(self, effect: MakeEnvironment, *, plain: bool) -> None:
        """Note that a virtual environment is made."""
        self.environments[effect.directory] = python_named(effect.python)
        self.plain = self.plain | {effect.directory} if plain else self.plain - {effect.directory}

    def take(self, other: StagePython, sources: Sequence[str], into: str) -> None:
        """Take along what is installed below paths that are copied from another stage."""
        for place, names in other.present.items():
            for source in sources:
                if covers(source, place):
                    self.present.setdefault(moved(place, source, into), {}).update(names)
        for home, version in other.environments.items():
            for source in sources:
                if covers(source, home):
                    self.environments[moved(home, source, into)] = version
                    self.plain -= {moved(home, source, into)}

    def forget(self, paths: Sequence[str]) -> None:
        """Forget what is installed in directories that are removed."""
        for place in [each for each in self.present if any_covers(paths, each)]:
            del self.present[place]

    def there(self, effect: PythonInstall, place: str, minor: str) -> dict[str, Installed]:
        """Return what an installer finds before it installs: what all users have, this one has, and is named."""
        bases = ("", effect.sees_base) if effect.sees_base else ()
        places = (*(site_packages(minor, each) for each in bases), place, *reversed(effect.sees))
        return {name: each for at in places for name, each in self.present.get(at, {}).items()}

    def may_write(self, place: str) -> bool:
        """Return whether users may write to a directory that belongs to root in most images."""
        return any_covers(self.handed_over, place)

    def change(self, effect: Remove | ChangeMode) -> None:
        """Note whom a command gives what is there, or forget what it removes."""
        if isinstance(effect, ChangeMode):
            self.handed_over += effect.paths if effect.recursive and not effect.found else ()
        else:
            self._lose(effect)

    def _lose(self, effect: Remove) -> None:
        """Forget what is removed; the next installer that runs writes its own bytecode again."""
        if effect.found:
            self.ran = self.ran and not takes_bytecode(effect, "/usr/local/lib")
        elif not effect.conditional:
            self.forget(effect.paths)

    def uv_pages(self, lock: Lock) -> UvPages:
        """Return how uv keeps pages of an index for what it resolved to."""
        if lock.origin is LockOrigin.FILE:
            return UvPages.NONE
        found = [each.version for names in self.present.values() if (each := names.get("uv")) is not None]
        numbers = [tuple(int(part) for part in version.split(".") if part.isdigit()) for version in found]
        if not numbers:
            return UvPages.UNKNOWN
        return UvPages.SMALL if min(numbers) >= _SMALL_PAGES else UvPages.LARGE

    def uninstall(self, names: Iterable[str], place: str, *, certain: bool) -> tuple[str, ...]:
        """Forget distributions of a directory; what they are called among the pieces of a layer."""
        present = self.present.get(place, {})
        found = [each for name in names if (each := present.get(normal_name(name))) is not None]
        for each in found if certain else ():
            del present[each.what.name]
        return tuple(each.piece for each in found) if certain else ()


def knowing(
    request: ResolveRequest, present: dict[str, Installed], *, renewed: Collection[str] | None
) -> ResolveRequest:
    """Return a request that says what is there already.

    Args:
        renewed: Names that are to be as new as possible; None for all.
    """
    if renewed is None:
        return request
    there = {name: each for name, each in sorted(present.items()) if name not in renewed}
    offers = {_plain(url) for url in (request.index_url, *request.extra_index_urls)} | {_DEFAULT}
    if request.no_index:
        offers = set()
    elif request.index_url:
        offers.discard(_DEFAULT)
    return replace(
        request,
        installed=tuple(f"{name}=={each.version}" for name, each in there.items() if each.version),
        kept=tuple(each.what for each in there.values() if isinstance(each.what, Wheel) and each.origin not in offers),
        left_out=tuple(
            name for name, each in there.items() if not each.version and not _asks_for_another(request, name, each)
        ),
    )


def _asks_for_another(request: ResolveRequest, name: str, there: Installed) -> bool:
    """Whether a request names versions that what is there, of which only the request is known, may not be."""
    if not isinstance(there.what, Other):
        return False
    for line in request.requirements:
        with suppress(InvalidRequirement):
            before, wanted = requirement(there.what.requirement), requirement(line)
            pins = [each.version for each in before.specifier if each.operator == "=="]
            if normal_name(wanted.name) == name and wanted.specifier:
                return not (pins and wanted.specifier.contains(pins[0].partition("+")[0], prereleases=True))
    return False


def missing(lock: Lock, present: dict[str, Installed]) -> tuple[Lock, frozenset[str]]:
    """Return what of a lock is not there, and which pieces of it may be there all the same."""

    def lacks(each: Wheel | Sdist | Other) -> bool:
        there = present.get(each.name)
        return there is None or not there.certain or there.piece != Installed(each).piece

    lacking = replace(
        lock,
        wheels=tuple(filter(lacks, lock.wheels)),
        sdists=tuple(filter(lacks, lock.sdists)),
        others=tuple(filter(lacks, lock.others)),
    )
    return lacking, frozenset(each.piece for each in present.values() if not each.certain)


def renewed(present: dict[str, Installed], lock: Lock) -> tuple[str, ...]:
    """Return which pieces of earlier installs come once more, because what is there does not count."""
    brought: tuple[Wheel | Sdist | Other, ...] = (*lock.wheels, *lock.sdists, *lock.others)
    there = ((present.get(each.name), Installed(each).piece) for each in brought)
    return tuple(piece for before, piece in there if before is not None and before.certain and before.piece == piece)


def record(present: dict[str, Installed], lock: Lock, request: ResolveRequest, *, certain: bool) -> tuple[str, ...]:
    """Write down what an install brings; which pieces of earlier ones it removes, because another version comes."""
    replaced = []
    brought: tuple[Wheel | Sdist | Other, ...] = (*lock.wheels, *lock.sdists, *lock.others)
    named = {_plain(url) for url in (request.index_url, *request.extra_index_urls)}
    origins = {index: _origin(index, named) for index in {_index_of(each) for each in brought}}
    for each in brought:
        before = present.get(each.name)
        new = Installed(each, origins[_index_of(each)], certain)
        if not each.name or (before is not None and before.piece == new.piece and (before.certain or not certain)):
            continue
        if before is not None and before.certain and certain and before.piece != new.piece:
            replaced.append(before.piece)
        present[each.name] = new
    return tuple(replaced)


def _index_of(each: Wheel | Sdist | Other) -> str:
    return "" if isinstance(each, Other) else each.index


def _origin(index: str, named: set[str]) -> str:
    if not index:
        return _ELSEWHERE
    plain = _plain(index)
    return plain if plain in named else _DEFAULT


def _plain(url: str) -> str:
    scheme, slashes, rest = url.partition("://")
    return f"{scheme}{slashes}{rest.rpartition('@')[2] if '@' in rest.partition('/')[0] else rest}".rstrip("/")
