"""Which packages an ``apt-get install`` would bring, by the lists of packages alone.

The image's own solver weighs more than is weighed here: it goes back on a choice that ends in a conflict, and knows
pins. This one takes the first alternative that can be had, as that solver nearly always does, and never goes back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.model.forecast.debian_package import Chosen, PackageSelection
from tonnage.model.forecast.debian_version import compare, satisfies

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.model.forecast.base_image import AptState
    from tonnage.model.forecast.debian_package import Alternatives, DebPackage, PackageIndex, Relation

_PRIORITIES = ("required", "important", "standard", "optional", "extra")


def choose(
    index: PackageIndex,
    wanted: Sequence[str],
    state: AptState,
    *,
    recommends: bool = True,
    release: str = "",
    upgrades: bool = False,
) -> PackageSelection:
    """Choose what an install brings.

    Args:
        release: The release that is preferred (``-t``); empty for none.
    """
    solving = _Solving(index, state, recommends=recommends and state.recommends, release=release)
    if upgrades:
        solving.upgrade()
    for name in wanted:
        solving.want(name)
    solving.finish()
    return PackageSelection(
        packages=tuple(solving.chosen.values()), missing=tuple(solving.missing), assumed=not state.installed
    )


class _Solving:
    """One choice in the making."""

    def __init__(self, index: PackageIndex, state: AptState, *, recommends: bool, release: str) -> None:
        self._index = index
        self._recommends = recommends
        self._release = release
        self._provided: dict[str, list[str]] = {name: [version] for name, version in state.provided.items()}
        self._there: dict[str, str] = dict(state.installed)
        if not state.installed:
            self._take_usual()
        self._before: Mapping[str, str] = dict(self._there)
        self.chosen: dict[str, Chosen] = {}
        self.missing: list[str] = []
        self._waiting: list[DebPackage] = []

    def upgrade(self) -> None:
        """Take the newest version of everything that is there."""
        for name, version in self._before.items():
            newest = self._newest(name)
            if newest is not None and compare(newest.version, version) > 0:
                self._take(newest, "", recommended=False)

    def want(self, text: str) -> None:
        """Take what was asked for by name."""
        name, _, release = text.partition("/")
        name, _, version = name.partition("=")
        name = name.partition(":")[0]
        if text.endswith("-") and not self._index.candidates(name):
            return
        found = next(
            (
                package
                for package in self._index.candidates(name, release or self._release)
                if not version or package.version == version
            ),
            None,
        )
        if found is None and not version and name not in self._there:
            providers = self._index.providers(name)
            found = providers[0] if len(providers) == 1 else None
        if found is None:
            if name not in self._there:
                self.missing.append(text)
            return
        there = self._there.get(found.name)
        if there is None or (there != found.version and (version or compare(found.version, there) > 0)):
            self._take(found, "", recommended=False)

    def finish(self) -> None:
        """Take what the taken packages need, then what they recommend."""
        recommending: list[DebPackage] = []
        while self._waiting or recommending:
            if self._waiting:
                package = self._waiting.pop(0)
                for alternatives in package.depends:
                    self._satisfy(package, alternatives, recommended=False)
                if self._recommends:
                    recommending.append(package)
            else:
                package = recommending.pop(0)
                for alternatives in package.recommends:
                    self._satisfy(package, alternatives, recommended=True)

    def _satisfy(self, package: DebPackage, alternatives: Alternatives, *, recommended: bool) -> None:
        if any(self._is_there(relation) for relation in alternatives):
            return
        for relation in alternatives:
            found = self._found(relation)
            if found is not None and self._there.get(found.name) == found.version:
                return
            if found is not None and not self._conflicts(found):
                self._take(found, package.name, recommended=recommended)
                return
        if not recommended:
            self.missing.append(" | ".join(relation.name for relation in alternatives))

    def _is_there(self, relation: Relation) -> bool:
        version = self._there.get(relation.name)
        if version is not None and satisfies(version, relation.operator, relation.version):
            return True
        return any(
            not relation.operator or (given and satisfies(given, relation.operator, relation.version))
            for given in self._provided.get(relation.name, ())
        )

    def _found(self, relation: Relation) -> DebPackage | None:
        """Return what satisfies a relation: the newest version of it, else a package that provides it."""
        for package in self._index.candidates(relation.name, self._release):
            if satisfies(package.version, relation.operator, relation.version):
                return package
        providers = [
            package
            for package in self._index.providers(relation.name)
            if not relation.operator
            or any(
                given.name == relation.name
                and given.version
                and satisfies(given.version, relation.operator, relation.version)
                for given in package.provides
            )
        ]
        return min(providers, key=_preference) if providers else None

    def _conflicts(self, package: DebPackage) -> bool:
        """Tell whether a package cannot be there beside what was taken; what is older is upgraded by apt."""
        return any(
            relation.name != package.name
            and relation.name in self._there
            and satisfies(self._there[relation.name], relation.operator, relation.version)
            and not relation.operator
            for relation in package.conflicts
        )

    def _take(self, package: DebPackage, because: str, *, recommended: bool) -> None:
        self.chosen[package.name] = Chosen(
            name=package.name,
            version=package.version,
            installed_bytes=package.installed_bytes,
            deb_bytes=package.deb_bytes,
            because=because,
            recommended=recommended,
            upgrade=package.name in self._before,
        )
        self._enter(package)
        self._waiting.append(package)

    def _enter(self, package: DebPackage) -> None:
        self._there[package.name] = package.version
        for relation in package.provides:
            self._provided.setdefault(relation.name, []).append(relation.version)

    def _newest(self, name: str) -> DebPackage | None:
        return next(iter(self._index.candidates(name, self._release)), None)

    def _take_usual(self) -> None:
        """Take the usual packages and all that they need for what is there already."""
        waiting = list(self._index.usual())
        while waiting:
            package = waiting.pop()
            if package.name in self._there:
                continue
            self._enter(package)
            for alternatives in package.depends:
                if not any(self._is_there(relation) for relation in alternatives):
                    found = next((each for each in map(self._found, alternatives) if each is not None), None)
                    waiting += [found] if found is not None else []


def _preference(package: DebPackage) -> tuple[int, str]:
    known = package.priority in _PRIORITIES
    return (_PRIORITIES.index(package.priority) if known else len(_PRIORITIES)), package.name
