"""What commands of a ``RUN`` write, fetch and remove, from what their words say and from what was found out.

A command of which nothing is known writes the bound that is assumed for it; none writes nothing in silence.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from tonnage.forecast.costs.apt.caches import CACHES, AptLeft, with_caches, with_small_caches
from tonnage.forecast.costs.apt.effects import ARCHIVES, LISTS, apt_install, apt_lists
from tonnage.forecast.costs.copied_image_files import copied_paths, file_copied
from tonnage.forecast.costs.found_files import maybe, perhaps
from tonnage.forecast.costs.image_paths import stands
from tonnage.forecast.costs.model_weights import weights_of
from tonnage.forecast.costs.removals import with_marks, with_rewritten_records
from tonnage.lazily import regex
from tonnage.model.forecast.compression import Content, compressed
from tonnage.model.forecast.debian_package import UnneededPackages
from tonnage.model.forecast.effects import (
    AptClean,
    AptInstall,
    AptMark,
    AptRemove,
    AptUpdate,
    ChangeMode,
    CompilePython,
    Download,
    ExportLock,
    GitClone,
    LoginLogs,
    MakeDirectory,
    MakeEnvironment,
    Nothing,
    Opaque,
    OtherInstall,
    PythonRemove,
    Remove,
    Transfer,
    Unpack,
    WriteFile,
)
from tonnage.model.forecast.estimate import (
    KILOBYTES,
    NOTHING,
    Estimate,
    Grade,
    assumed,
    at_most,
    spread,
    total,
    weakest,
)
from tonnage.model.forecast.installs import Installer, PipRuns, PythonInstall
from tonnage.model.forecast.node_packages import NodeInstall
from tonnage.model.forecast.python_lock import BLOCK_BYTES, in_blocks
from tonnage.model.forecast.sized_effects import DerivedFile, FoundFiles, SizedEffect, WrittenBytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.model.forecast.debian_package import AptForecast
    from tonnage.model.forecast.effects import AnyEffect

_UNPACKED = (100, 300, 800)
_OF_MODELS = regex(r"(?:https?://|git@)(?:www\.)?(?:hf\.co|huggingface\.co)[/:]")
# Measured with Python 3.8 to 3.13: pip alone 10 to 17 MB with its bytecode, with setuptools up to 27 MB.
_ENVIRONMENT_WITH_PIP = Estimate(9_000_000, 23_000_000, 30_000_000, Grade.DECLARED)
_ENVIRONMENT_ALONE = Estimate(8_192, 65_536, 400_000, Grade.DECLARED)
# virtualenv writes no bytecode of what it puts in, and keeps it unpacked: pip, before Python 3.12 setuptools as well,
# which Poetry leaves out. Source: virtualenv 20.26 to 21.15, by itself, by Poetry 2.5 and by Pipenv 2026.10.
_ENVIRONMENT_SEEDED = Estimate(6_000_000, 13_000_000, 30_000_000, Grade.DECLARED)
_SEEDS = Estimate(6_000_000, 9_000_000, 20_000_000, Grade.DECLARED)
# It asks for newer ones meanwhile, and may be ended before it has them. Source: virtualenv 20.26, 3.8 MB measured.
_NEWER_SEEDS = Estimate(0, 2_000_000, 8_000_000, Grade.DECLARED)
_WHOLE = (100, 100, 100)
_LOGINS = "/var/log/lastlog"
_SETTINGS = ("/etc/", "/proc/", "/sys/", "/run/")  # and what the kernel tells of itself
# Keys and lists of packages are fetched to there.
_KEYS = ("/etc/", "/usr/share/keyrings/")


class InstructionEffects(Struct, frozen=True, kw_only=True):
    """What was found out about the commands of one instruction.

    Args:
        sizes: How large the files behind addresses are; an address that is missing is not known.
        keeps_debs: The image keeps the ``.deb`` files that were installed; ``keeps_caches``: those of apt itself.
        apt_left: What earlier instructions left of apt's lists and caches.
        keeps_logins: The image has logs of logins; None where that is not known.
        assume_bytes: What is assumed for a command of which nothing is known.
    """

    installs: Mapping[int, SizedEffect] = field(default_factory=lambda: MappingProxyType({}))
    packages: Mapping[int, AptForecast] = field(default_factory=lambda: MappingProxyType({}))
    sizes: Mapping[str, Estimate] = field(default_factory=lambda: MappingProxyType({}))
    keeps_debs: bool = False
    keeps_caches: bool = True
    keeps_logins: bool | None = None
    assume_bytes: int = 500_000_000
    apt_left: AptLeft = AptLeft()


def sized_effects(effects: Sequence[AnyEffect], found: InstructionEffects) -> tuple[SizedEffect, ...]:
    """Return what the commands of one instruction do, in their order."""
    fetched: dict[str, Estimate] = {}
    alone = [_sized(number, effect, found, fetched) for number, effect in enumerate(effects)]
    before = found.apt_left
    sized = [with_caches(each, effects[: at + 1], found.packages.get(at), before) for at, each in enumerate(alone)]
    sized = with_rewritten_records(effects, with_marks(effects, sized), keeps_caches=found.keeps_caches)
    sized = with_small_caches(effects, sized)
    return tuple(_maybe(each) if effect.conditional else each for effect, each in zip(effects, sized, strict=True))


def _sized(number: int, effect: AnyEffect, found: InstructionEffects, fetched: dict[str, Estimate]) -> SizedEffect:  # noqa: C901, PLR0912 - one branch for each kind
    unknown = assumed(found.assume_bytes)
    match effect:
        case PythonInstall():
            return found.installs.get(number) or _written(effect.command, "", unknown, "not resolved: assumed", unknown)
        case AptInstall():
            return apt_install(effect, found.packages.get(number), unknown, keeps_debs=found.keeps_debs)
        case AptUpdate():
            return apt_lists(effect, next(iter(found.packages.values()), None), there=found.apt_left.lists)
        case AptClean():
            # What ``rm`` removes of caches is told by its own paths.
            place = ARCHIVES if effect.archives_alone else CACHES
            gone = (f"{LISTS}/*" if effect.lists else "", f"{place}/*" if effect.archives else "")
            return SizedEffect(removes=tuple(path for path in gone if path))
        case AptRemove():
            return SizedEffect(purges=effect.packages, unneeded=UnneededPackages() if effect.unneeded else None)
        case ExportLock():
            looked_into = found.installs.get(number, SizedEffect())
            if effect.path.startswith("/proc/"):
                return looked_into
            file = _piece(effect.path, KILOBYTES, "a bound of what it writes", Content.TEXT)
            return replace(looked_into, writes=(*looked_into.writes, file))
        case Nothing() | AptMark():
            return SizedEffect()
        case MakeDirectory():
            return SizedEffect(writes=tuple(new_directory(path) for path in effect.paths))
        case OtherInstall() | NodeInstall():
            return found.installs.get(number) or _written(effect.command, "", unknown, "assumed")
        case Download():
            return _download(effect, found, fetched, unknown)
        case Unpack():
            return _unpack(effect, found, fetched, unknown)
        case GitClone():
            bound = weights_of(effect.address, found.assume_bytes) if _OF_MODELS.match(effect.address) else unknown
            return _written(f"git clone {effect.address}", effect.directory, bound, "assumed", bound)
        case Remove():
            if effect.found and (effect.names or not effect.sure):
                return SizedEffect(finds=(_looked_for(effect),))
            return SizedEffect(removes=_below(effect))
        case ChangeMode():
            if effect.found:
                return SizedEffect(rewrites_found=(_looked_for(effect),))
            if effect.recursive:
                return SizedEffect(rewrites=effect.paths)
            return SizedEffect(alters=effect.paths, percent=effect.percent)
        case Transfer():
            into = effect.destination if len(effect.sources) == 1 else f"{effect.destination.rstrip('/')}/"
            pairs = tuple((source, into) for source in effect.sources)
            if effect.links:
                # Another name of a file of an earlier layer has all of its bytes in this one.
                if not effect.hard:
                    return SizedEffect(links=pairs)
                if effect.recursive:
                    return SizedEffect(rewrites=effect.sources, hard_links=pairs)
                return SizedEffect(alters=effect.sources, hard_links=pairs)
            if effect.moves:
                return SizedEffect(moves=pairs)
            how = SizedEffect(follows=effect.follows, holes=effect.holes)
            return replace(how, copies=pairs) if effect.recursive else replace(how, file_copies=pairs)
        case WriteFile() if effect.path.startswith("/proc/"):
            return SizedEffect()
        case WriteFile():
            return written_file(effect, found.sizes, unknown)
        case LoginLogs():
            return _login_logs(effect, found, fetched, unknown)
        case MakeEnvironment():
            return _environment(effect)
        case CompilePython():
            return _written(effect.command, effect.paths[0] if effect.paths else "", unknown, "assumed")
        case PipRuns():
            return found.installs.get(number, SizedEffect())
        case PythonRemove():
            ran = found.installs.get(number, SizedEffect())
            return replace(ran, removes=(*ran.removes, *_caches(effect)))
        case Opaque():
            why = f"assumed, because {effect.reason}" if effect.reason else "assumed"
            # What a program fetches is written nowhere.
            return _written(effect.command, "", unknown, why, replace(unknown, likely_bytes=0))


def _login_logs(
    effect: LoginLogs, found: InstructionEffects, fetched: dict[str, Estimate], unknown: Estimate
) -> SizedEffect:
    """Return what an account makes of the logs of logins: they become as long as the highest number needs."""
    if found.keeps_logins is False:
        return SizedEffect()
    if effect.count_bytes is None:
        return _written("logs of logins", _LOGINS, unknown, "the number of the account is not known: assumed")
    before = fetched.get(_LOGINS, NOTHING)
    more_bytes = max(0, effect.count_bytes - before.high_bytes)
    fetched[_LOGINS] = at_most(before.high_bytes + more_bytes)
    size = Estimate(0, more_bytes if found.keeps_logins else 0, more_bytes, Grade.DECLARED)
    source = "a place for each number" if found.keeps_logins else "a place for each number, if the image has them"
    piece = WrittenBytes.of_size("logs of logins", _LOGINS, size, source, content=Content.ZEROS)
    # Overlay filesystems keep the holes.
    piece = replace(piece, disk=replace(size, likely_bytes=0))
    # A later layer has all of them.
    return SizedEffect(writes=(piece,) if more_bytes else (), appends=(_LOGINS,))


def _looked_for(effect: Remove | ChangeMode) -> FoundFiles:
    whole = isinstance(effect, Remove) and effect.whole
    return FoundFiles(effect.paths, effect.names, effect.sure, effect.kind, whole)


def _environment(effect: MakeEnvironment) -> SizedEffect:
    name, size = f"environment {effect.directory}", _ENVIRONMENT_WITH_PIP if effect.with_pip else _ENVIRONMENT_ALONE
    if not (effect.seeds_in and effect.with_pip):
        return _written(name, effect.directory, size, "usual size")
    seeded = WrittenBytes.of_size(name, effect.directory, _ENVIRONMENT_SEEDED, "usual size")
    seeds = WrittenBytes.of_size("virtualenv's cache", effect.seeds_in, _SEEDS, "usual size", download=_NEWER_SEEDS)
    return SizedEffect(writes=(seeded, seeds))


def _download(
    effect: Download, found: InstructionEffects, fetched: dict[str, Estimate], unknown: Estimate
) -> SizedEffect:
    size = found.sizes.get(effect.address)
    source = "its address was asked"
    if size is None:
        size, source = unknown, "its address did not tell: assumed"
    name = effect.address.partition("?")[0].rpartition("/")[2] or effect.address
    if effect.path:
        fetched[effect.path] = size
        file = WrittenBytes.of_size(name, effect.path, size, source, download=size)
        return SizedEffect(writes=(replace(file, is_file=not stands(effect.path)),))
    return SizedEffect(writes=(WrittenBytes(name=name, download=size, source=source),))


def _unpack(effect: Unpack, found: InstructionEffects, fetched: dict[str, Estimate], unknown: Estimate) -> SizedEffect:
    size, path = fetched.get(effect.archive) or found.sizes.get(effect.address), effect.archive or effect.address
    name = path.rpartition("/")[2] or "archive"
    if size is None and effect.archive:
        packed = not name.endswith(".tar")
        made = DerivedFile(
            place=effect.directory,
            paths=(effect.archive,),
            percent=_UNPACKED if packed else (90, 100, 100),
            unknown=unknown,
            source=f"contents of {name}: 1 to 8 times the archive: assumed" if packed else f"contents of {name}",
            least_high_bytes=unknown.high_bytes if packed else 0,
            is_file=False,
        )
        return SizedEffect(derives=(made,))
    if size is None:
        return _written(f"contents of {name}", effect.directory, unknown, "assumed")
    if name.endswith(".tar"):
        return _written(f"contents of {name}", effect.directory, size, "the archive's size")
    estimate = spread(
        size.low_bytes * _UNPACKED[0] // 100,
        size.likely_bytes * _UNPACKED[1] // 100,
        size.high_bytes * _UNPACKED[2] // 100,
        Grade.UNKNOWN,
    )
    return _written(f"contents of {name}", effect.directory, estimate, "1 to 8 times the archive: assumed")


def new_directory(path: str) -> WrittenBytes:
    """Return what a directory takes that is made, with those above it that are missing."""
    disk = Estimate(0, BLOCK_BYTES, 4 * BLOCK_BYTES, Grade.DECLARED)
    return WrittenBytes(name=path, place=path, disk=disk, source="a directory")


def _written(name: str, place: str, size: Estimate, source: str, download: Estimate = NOTHING) -> SizedEffect:
    return SizedEffect(writes=(WrittenBytes.of_size(name, place, size, source, download=download),))


def _below(effect: Remove) -> tuple[str, ...]:
    return tuple(f"{path.rstrip('/')}/*" for path in effect.paths) if effect.found else effect.paths


def _caches(effect: PythonRemove) -> tuple[str, ...]:
    if effect.cache_of is None:
        return ()
    name = "uv" if effect.cache_of.is_uv else "pypoetry" if effect.cache_of is Installer.POETRY else "pip"
    return (f"/root/.cache/{name}", f"/home/*/.cache/{name}")


def _maybe(sized: SizedEffect) -> SizedEffect:
    """Return what may not happen. It is not relied on to remove anything."""
    writes = tuple(map(perhaps, sized.writes))
    # What it may remove is not relied on either way.
    finds = tuple(FoundFiles((path,), sure=False) for path in sized.removes)
    finds += tuple(replace(each, sure=False) for each in sized.finds)
    return replace(
        sized,
        writes=writes,
        transient=maybe(sized.transient),
        removes=(),
        uninstalls=(),
        renews=(),
        purges=(),
        unneeded=None,
        finds=finds,
        certain=False,
    )


def written_file(effect: WriteFile, sizes: Mapping[str, Estimate], unknown: Estimate) -> SizedEffect:
    """Return what a command does that writes a file."""
    source, size, how = effect.source, effect.source.text, "a bound of what it writes"
    percent = (source.least_percent, 100, source.most_percent)
    appends = (effect.path,) if effect.appends else ()
    derives: tuple[DerivedFile, ...] = ()
    content = source.content if source.stands_alone else Content.ANY
    if not source.known:
        size, how = unknown, "its size is not reported: assumed"
        if not source.least_percent:
            # What is left of a stream is usually little, and may be all of it.
            size = replace(unknown, likely_bytes=min(BLOCK_BYTES, unknown.high_bytes))
    elif source.address and source.address in sizes:
        size, how = _scaled(sizes[source.address], percent), "its address was asked"
    elif source.address:
        size, how = unknown, "its address did not tell: assumed"
        if effect.path.startswith(_KEYS):
            size, how = KILOBYTES, "a key or a list"
    else:
        size = _scaled(size, percent)
    if source.known and source.paths:
        how = f"made from {', '.join(path.rpartition('/')[2] for path in source.paths)}"
        derives = (DerivedFile(effect.path, source.paths, percent, unknown, how, trees=source.trees),)
    piece = replace(_piece(effect.path, size, how, content), is_file=not (effect.appends or stands(effect.path)))
    if source.holes and piece.disk.high_bytes:
        # Overlay filesystems keep the holes; containerd fills them where it unpacks the layer once more.
        piece = replace(piece, disk=Estimate(0, 0, piece.disk.high_bytes, Grade.DECLARED))
    writes = () if derives and not size.high_bytes else (piece,)
    return SizedEffect(writes=writes, derives=derives, appends=appends)


def derived_pieces(effect: SizedEffect, pieces: Sequence[WrittenBytes], base_size: Estimate) -> list[WrittenBytes]:
    """Return what a command makes from files."""
    found = [
        replace(_made(each, pieces, base_size), is_file=each.is_file and each.place not in effect.appends)
        for each in effect.derives
    ]
    return found if effect.certain else [perhaps(piece) for piece in found]


def _made(derived: DerivedFile, pieces: Sequence[WrittenBytes], base_size: Estimate) -> WrittenBytes:
    image, disk, packed = NOTHING, NOTHING, NOTHING
    for path in derived.paths:
        settings = path.startswith(_SETTINGS)
        # An archive is no usual file of an image below.
        alone = settings or derived.least_high_bytes > 0
        visible = [piece for piece in pieces if piece.place] if settings else pieces
        below = NOTHING if alone else base_size
        if derived.trees:
            read = [*copied_paths((path,), derived.place, visible, below, "the image")]
        else:
            read = file_copied(path, derived.place, visible, below)
        missing = KILOBYTES if settings else derived.unknown
        image += total(piece.image for piece in read) if read else missing
        disk += total(piece.disk for piece in read) if read else missing
        packed += total(piece.compressed for piece in read) if read else compressed(missing)
    size = image
    if derived.percent != _WHOLE:
        # What a directory is made into has a head for each file in it: less than the rest of its last block.
        whole = max(image.high_bytes, disk.high_bytes) if derived.percent[2] > 100 else image.high_bytes  # noqa: PLR2004 - percent
        size = _scaled(replace(image, high_bytes=whole), derived.percent)
        size = replace(size, high_bytes=size.high_bytes + BLOCK_BYTES)
    if derived.least_high_bytes > size.high_bytes:
        size = replace(size, high_bytes=derived.least_high_bytes, grade=Grade.UNKNOWN)
    made = _piece(derived.place, size, derived.source)
    # What is put together of files compresses as they do.
    return replace(made, compressed=packed) if size == image else made


def _scaled(size: Estimate, percent: tuple[int, int, int]) -> Estimate:
    if percent == _WHOLE or not size.high_bytes:
        return size
    low, likely, high = (
        each * part // 100
        for each, part in zip((size.low_bytes, size.likely_bytes, size.high_bytes), percent, strict=True)
    )
    return Estimate(low, min(likely, high), high, weakest((size.grade, Grade.DECLARED)))


def _piece(path: str, size: Estimate, source: str, content: Content = Content.ANY) -> WrittenBytes:
    return replace(WrittenBytes.of_size(path, path, size, source, content=content), disk=size.each(in_blocks))
