"""Which packages an ``apt-get install`` would bring, by the lists of packages alone, and what they cost.

The image's own solver weighs more than is weighed here: it goes back on a choice that ends in a conflict, and knows
pins. This one takes the first alternative that can be had, as that solver nearly always does, and never goes back.

``Installed-Size`` counts files in whole KiB. What is installed is a little less, plus dpkg's own records, plus
bytecode where packages hold Python; documents that dpkg is told to leave out are in it all the same.

Source: measured on Debian 12 with curl, git, build-essential, libgl1 and python3-numpy: 0.984 to 0.988 of what is
declared, 0.70 to 0.99 where documents are left out; lists to the byte, compressed ones 0.376 of the plain ones;
``pkgcache.bin`` and ``srcpkgcache.bin`` each 0.70 of the plain lists and 0.09 of the translations; records 1.8 KB for
each package that is there and 18 KB for each new one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.model.forecast.compression import Content, at_most_compressed
from tonnage.model.forecast.debian_package import AptForecast, Chosen, ListBytes, PackageSelection, compare, satisfies
from tonnage.model.forecast.estimate import NOTHING, Estimate, Grade
from tonnage.model.forecast.python_lock import in_blocks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.model.forecast.base_image import AptState
    from tonnage.model.forecast.debian_package import Alternatives, DebPackage, PackageIndex, Probed, Relation

# What gzip makes of packages: parts of their bytes and of their files', and how far off that is.
# Source: 40 packages of Debian 12, of 0.1 to 40 MB.
_GZIP_OF_DEBS, _GZIP_OF_FILES, _GZIP_OF_OTHERS = 0.85, 0.15, 0.3
_GZIP, _GZIP_WITHOUT_DOCUMENTS = (0.7, 1.0, 1.8), (0.6, 0.95, 1.8)
_PRIORITIES = ("required", "important", "standard", "optional", "extra")
_FILES = (0.95, 0.986, 1.02)
_FILES_WITHOUT_DOCUMENTS = (0.60, 0.93, 1.02)
_BYTECODE = (0.0, 0.45, 0.9)
_RECORD_BYTES = (1_000, 1_800, 2_600)
_NEW_RECORD_BYTES = (5_000, 18_000, 30_000)
_SCRIPTS_BYTES = (0, 60_000, 3_000_000)
_DISK = (1.003, 1.018, 1.07)
_DISK_BYTES = (20_000, 50_000, 120_000)
_LZ4 = 0.376
_CACHE_OF_LISTS, _CACHE_OF_TRANSLATIONS = 0.70, 0.09
_CACHE = (0.85, 1.0, 1.15)
_LISTS = (0.97, 1.0, 1.04)
# Lists are fetched with xz. Source: 15.5 MB for 87.0 MB of lists and translations of Debian 12.
_FETCHED = (0.12, 0.18, 0.30)
# When the image has packages that are not known, fewer come; and how far the usual ones go is a guess.
_ASSUMED = 0.25


def choose(
    index: PackageIndex,
    wanted: Sequence[str],
    state: AptState,
    *,
    recommends: bool = True,
    release: str = "",
    upgrades: bool = False,
) -> PackageSelection:
    """Choose what an install brings; ``release`` is the one that is preferred (``-t``), empty for none."""
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
            newest = next(iter(self._index.candidates(name, self._release)), None)
            if newest is not None and compare(newest.version, version) > 0:
                self._take(newest, "", recommended=False)

    def want(self, text: str) -> None:
        """Take what was asked for by name."""
        name, _, release = text.partition("/")
        name, _, version = name.partition("=")
        name = name.partition(":")[0]
        if text.endswith("-") and not self._index.candidates(name):
            return
        candidates = self._index.candidates(name, release or self._release)
        found = next((package for package in candidates if not version or package.version == version), None)
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
            needed = bool(self._waiting)
            package = (self._waiting or recommending).pop(0)
            for alternatives in package.depends if needed else package.recommends:
                self._satisfy(package, alternatives, recommended=not needed)
            if needed and self._recommends:
                recommending.append(package)

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


def apt_forecast(
    choice: PackageSelection, lists: ListBytes, state: AptState, *, by: str = "lists of packages"
) -> AptForecast:
    """Return what an update and an install bring."""
    image = _installed(choice, state)
    debs = sum(package.deb_bytes for package in choice.packages)
    fetched = _declared(int(debs * (_ASSUMED if choice.assumed else 1)), debs, debs)
    note = "what the image has installed is not known: the usual packages were taken for it"
    return AptForecast(
        image=image,
        disk=_on_disk(image, len(choice.packages)),
        debs=fetched,
        compressed=_gzipped(choice, fetched, image, state),
        lists=_lists(lists, state),
        lists_content=Content.ANY if state.lists_compressed else Content.TEXT,
        lists_download=_spread(
            lists.release_bytes + lists.fetched_bytes + (lists.translation_fetched_bytes if state.translations else 0)
        ),
        caches=_caches(lists, state),
        packages=tuple(sorted(choice.packages, key=lambda package: (-package.installed_bytes, package.name))),
        missing=choice.missing,
        by=by,
        notes=(note,) if choice.assumed else (),
    )


def probed_forecast(probed: Probed, state: AptState) -> AptForecast:
    """Return what an update and an install bring, by the word of the image's own solver."""
    found = apt_forecast(probed.choice, ListBytes(), state, by="the image's own solver")
    unpacked = probed.lists_bytes / (_LZ4 if state.lists_compressed else 1)
    return replace(
        found,
        lists=_spread(probed.lists_bytes),
        lists_download=_declared(*(int(unpacked * share) for share in _FETCHED)),
        caches=_spread(probed.caches_bytes),
    )


def _installed(choice: PackageSelection, state: AptState) -> Estimate:
    if not choice.packages:
        return NOTHING
    shares = _FILES_WITHOUT_DOCUMENTS if state.path_excludes else _FILES
    declared = sum(package.installed_bytes for package in choice.packages)
    compiled = sum(package.installed_bytes for package in choice.packages if _has_python(package))
    new, there = len(choice.packages), len(choice.packages) + len(state.installed)
    parts = zip(shares, _BYTECODE, _RECORD_BYTES, _NEW_RECORD_BYTES, _SCRIPTS_BYTES, strict=True)
    low, likely, high = (
        int(declared * files + compiled * code + there * record + new * added + scripts)
        for files, code, record, added, scripts in parts
    )
    return _declared(int(low * _ASSUMED) if choice.assumed else low, likely, high)


def _gzipped(choice: PackageSelection, debs: Estimate, image: Estimate, state: AptState) -> Estimate:
    """Return what packages take in a compressed layer: more than in their files, which are packed by better means.

    The better a package is packed, the more of that gzip misses: it looks back over 32 KiB only.
    """
    if not debs.high_bytes:
        return NOTHING
    declared = sum(package.installed_bytes for package in choice.packages)
    # What is written besides is bytecode, and text of dpkg.
    more = max(0, image.likely_bytes - declared) * _GZIP_OF_OTHERS
    gzipped = debs.likely_bytes * _GZIP_OF_DEBS + declared * _GZIP_OF_FILES + more
    low, likely, high = (gzipped * share for share in (_GZIP_WITHOUT_DOCUMENTS if state.path_excludes else _GZIP))
    if choice.assumed:
        low *= _ASSUMED
    return _declared(int(low), int(likely), int(min(max(likely, high), at_most_compressed(image.high_bytes))))


def _has_python(package: Chosen) -> bool:
    return package.name.startswith(("python3", "libpython3")) and not package.name.endswith(("-dev", "-doc", "-dbg"))


def _on_disk(image: Estimate, count: int) -> Estimate:
    if not count:
        return NOTHING
    low, likely, high = (
        int(size * share) + count * each
        for size, share, each in zip(
            (image.low_bytes, image.likely_bytes, image.high_bytes), _DISK, _DISK_BYTES, strict=True
        )
    )
    return _declared(low, likely, high)


def _lists(lists: ListBytes, state: AptState) -> Estimate:
    plain = lists.plain_bytes + (lists.translation_bytes if state.translations else 0)
    kept = int(plain * _LZ4) if state.lists_compressed else plain
    return _spread(in_blocks(lists.release_bytes + kept))


def _caches(lists: ListBytes, state: AptState) -> Estimate:
    """Return the bytes of both caches; an install alone writes one of them again."""
    if not state.keeps_caches:
        return NOTHING
    translations = lists.translation_bytes if state.translations else 0
    each = lists.plain_bytes * _CACHE_OF_LISTS + translations * _CACHE_OF_TRANSLATIONS
    return _declared(*(int(2 * each * share) for share in _CACHE))


def _spread(count_bytes: int) -> Estimate:
    return _declared(*(int(count_bytes * share) for share in _LISTS))


def _declared(low: int, likely: int, high: int) -> Estimate:
    return Estimate(low, likely, max(likely, high), Grade.DECLARED)
