"""What of one service could be shared: the wheels that pip installs into the Python of an official image, as root.

The base has to be one that is known to bring nothing but pip along. Whatever is done to the place of installation
besides keeps everything apart. The image may consist of the stage that installs, or have copies of what lies there.
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.lazily import regex
from tonnage.model.deploy.sharing import Apart, SharedWheel, WheelOffer
from tonnage.model.forecast.estimate import EngineKind
from tonnage.model.forecast.installs import environment_at
from tonnage.model.forecast.sized_effects import InstallTerms, SizedEffect  # noqa: TC001 - fields of a struct
from tonnage.model.references import tagged
from tonnage.sources.dockerfile.base_images import base_reference, stages_on, why_base_stays

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tonnage.model.forecast.sized_effects import BuildWork, StageWork, StepWork, WrittenBytes
    from tonnage.model.stack import BuildSpec

_PYTHON = "python"
_LISTED = regex(r"\bpip[0-9.]*\s+(?:freeze|list|inspect|show)\b[^;&\n]*[>|]")
_WILD = frozenset("*?[")
COPIED = "it copies them into the image, and images share copies only where all that is copied is the same"
_NO_PACKAGES = "it installs no Python packages"
_PREFIX = "/usr/local"
_WORKDIR = "WORKDIR "
# Directories of every Debian, in which an environment may lie.
_THERE = frozenset({"", "/opt", "/srv", "/home", "/root", "/usr", _PREFIX, "/var", "/var/lib", "/mnt"})
_OTHER_LIBRARY = ("alpine", "windowsservercore", "nanoserver")


class _Install(Struct, frozen=True):
    """An install, and the layer that its instruction makes."""

    effect: SizedEffect
    terms: InstallTerms
    layer: str


def offer_of(
    service: str,
    spec: BuildSpec,
    dockerfile: str,
    work: BuildWork,
    kind: EngineKind,
    *,
    layers: Mapping[tuple[str, int], str] | None = None,
    ignored_beside: bool = False,
) -> WheelOffer:
    """Return what of a service could be shared.

    Args:
        dockerfile: The text of its Dockerfile.
        work: What its build does.
        kind: What builds it.
        layers: The layer that each instruction makes, by stage and line; empty for one that the engine has.
        ignored_beside: What is left out of its context is said beside the Dockerfile.
    """
    if why := _why_nothing(spec, kind, ignored_beside=ignored_beside):
        return WheelOffer(service=service, apart=(Apart("everything", why),))
    offers = [
        _offer(service, chain, work.stages, spec, dockerfile, kind, layers or {}, inner=chain[-1].index != work.target)
        for chain in (stages_below(work, index) for index in (work.target, *_inner_ends(work)))
    ]
    # Of what an image consists, bytes are saved for as long as it is there.
    found = max(offers, key=lambda each: (bool(each.wheels) and not each.inner, each.kept_bytes))
    others = [each for each in offers if each is not found]
    apart = [each for other in (found, *others) for each in (*other.apart, *_passed_over(other, found))]
    told = [each for each in dict.fromkeys(apart) if each.why != _NO_PACKAGES]
    return replace(found, apart=tuple(told if found.wheels or told else apart[:1]))


def _offer(
    service: str,
    chain: Sequence[StageWork],
    everything: Sequence[StageWork],
    spec: BuildSpec,
    dockerfile: str,
    kind: EngineKind,
    layers: Mapping[tuple[str, int], str],
    *,
    inner: bool,
) -> WheelOffer:
    """Return what of some stages, each of which stands on the one before, could be shared.

    Args:
        everything: All stages of the build.
        inner: The image does not consist of these stages.
    """
    lowest = chain[0]
    base = lowest.base
    installs = list(_installs(service, chain, layers))
    if not installs and (inner or base is not None):
        return WheelOffer(service=service, inner=inner, stage=lowest.index, apart=(Apart("everything", _NO_PACKAGES),))
    line = _line_among_others(lowest, spec, dockerfile)
    why = _why_not_on(base.name if base is not None else "", spec, dockerfile, line, inner=inner)
    why = why or _why_others_stand_there(chain, everything, inner=inner)
    if why or base is None:
        return WheelOffer(service=service, inner=inner, stage=lowest.index, apart=(Apart("everything", why),))
    steps = [step for stage in chain for step in stage.steps]
    unknown = next((each.terms for each in installs if each.terms.names is None), None)
    if unknown is not None:
        return WheelOffer(service=service, apart=(Apart(unknown.command, unknown.apart),))
    first = next((each.terms for each in installs if not each.terms.apart), None)
    apart = [Apart(each.terms.command, each.terms.apart) for each in installs if each.terms.apart]
    if first is None:
        return WheelOffer(service=service, apart=tuple(apart))
    prefix = environment_at(first.place)
    environment = "" if prefix == _PREFIX else prefix
    why = _why_environment_is_not_made(steps, environment) if environment else ""
    if why := why or _why_place_is_touched(steps, environment or first.place, environment):
        return WheelOffer(service=service, apart=(*apart, Apart("everything", why)))
    if "manylinux" not in first.target:
        apart.append(Apart("everything", "its base has another library than glibc"))
        return WheelOffer(service=service, apart=tuple(apart))
    wheels, others = _wheels(installs, first, kind)
    return WheelOffer(
        service=service,
        base=base.name,
        base_line=line,
        stage=lowest.index,
        inner=inner,
        environment=environment,
        ground=base.layers[-1].chain_id if base.layers else base.identity,
        target=first.target,
        compiles=first.compiles,
        wheels=tuple(wheels),
        layers=tuple(wheels.values()),
        apart=(*apart, *others, *(_copied_out(chain, everything, prefix) if inner else ())),
    )


def _installs(service: str, chain: Iterable[StageWork], layers: Mapping[tuple[str, int], str]) -> Iterator[_Install]:
    for stage in chain:
        for step in stage.steps:
            layer = layers.get((stage.name or str(stage.index), step.line), f"{service} {stage.index} {step.line}")
            for effect in step.effects:
                if effect.terms is not None:
                    yield _Install(effect, effect.terms, layer)


def stages_below(work: BuildWork, index: int) -> list[StageWork]:
    """Return a stage and those that it stands on, lowest first."""
    by_index = {stage.index: stage for stage in work.stages}
    found = [by_index[index]]
    while (below := found[0].on_stage) is not None:
        found.insert(0, by_index[below])
    return found


def _inner_ends(work: BuildWork) -> list[int]:
    """Return the stages of which the image only has copies, and on which no other one stands."""
    by_index = {stage.index: stage for stage in work.stages}
    outer = {stage.index for stage in stages_below(work, work.target)}
    pending, needed = [work.target], set[int]()
    while pending:
        index = pending.pop()
        if index not in needed:
            needed.add(index)
            pending += by_index[index].needs
    below = {by_index[index].on_stage for index in needed}
    return sorted(index for index in needed - outer - below if not _is_anothers(stages_below(work, index)[0]))


def _is_anothers(stage: StageWork) -> bool:
    """Return whether a stage is of another service's build: its name begins with that service's."""
    return "/" in stage.name


def _passed_over(offer: WheelOffer, found: WheelOffer) -> tuple[Apart, ...]:
    """Tell of a stage that is not shared because another one of its service is."""
    if offer is found or not offer.wheels:
        return ()
    return (Apart(f"what stage {offer.stage} installs", "another stage of this service is shared"),)


def _why_others_stand_there(chain: Sequence[StageWork], everything: Sequence[StageWork], *, inner: bool) -> str:
    """Return which stage would have wheels that it has not, or would find there what it puts elsewhere."""
    own, found = {stage.index for stage in chain}, {chain[0].index}
    for stage in everything:
        if stage.on_stage in found:
            found.add(stage.index)
            runs = any(step.text.startswith("RUN") for step in stage.steps)
            if stage.index not in own and (runs or inner):
                return f"stage {stage.name or stage.index} stands on the same base, and would see these wheels"
    return ""


def _copied_out(chain: Sequence[StageWork], everything: Sequence[StageWork], prefix: str) -> Iterator[Apart]:
    """Yield what other stages copy of what is installed: a copy is a layer of its own."""
    own = {stage.index for stage in chain}
    for stage in everything:
        for step in stage.steps:
            if step.from_stage in own and any(_meet(path, prefix) for path in step.takes):
                yield Apart(f"line {step.line}", COPIED)


def _why_nothing(spec: BuildSpec, kind: EngineKind, *, ignored_beside: bool) -> str:
    if kind is EngineKind.CLASSIC:
        return "the builder before BuildKit builds it"
    if kind.is_beside:
        return "a builder beside the engine sees no image of the engine"
    if "://" in spec.context or spec.context.startswith("git@"):
        return "its context is not on this machine"
    if spec.pull or spec.no_cache:
        return f"{'pull' if spec.pull else 'no_cache'}: true pulls its base each time"
    if spec.cache_from or spec.cache_to:
        return "cache_from or cache_to names layers of builds that share nothing"
    if len(spec.platforms) > 1:
        return "it is built for several platforms"
    if spec.network or spec.extra_hosts:
        return "its build has a network of its own"
    if ignored_beside and spec.dockerfile:
        return "a .dockerignore lies beside its Dockerfile"
    if "BUILDKIT_SYNTAX" in dict(spec.args):
        return "it is read by a frontend of its own"
    proxies = [name for name, _ in spec.args if name.lower().endswith("_proxy")]
    return f"its build is given {proxies[0]}" if proxies else ""


def _line_among_others(stage: StageWork, spec: BuildSpec, dockerfile: str) -> int:
    """Return the line where a stage begins, where others begin on the same image; else 0."""
    base = stage.base.name if stage.base is not None else ""
    return stage.line if base and stages_on(dockerfile, dict(spec.args), base) > 1 else 0


def _why_not_on(base: str, spec: BuildSpec, dockerfile: str, line: int, *, inner: bool) -> str:
    arguments, contexts = dict(spec.args), dict(spec.additional_contexts)
    named = base if inner else base_reference(dockerfile, arguments, spec.target, contexts)
    if not base or not named or tagged(named) != tagged(base):
        return "it stands on no image that its Dockerfile names"
    if any(tagged(name) == tagged(base) for name in contexts):
        return f"additional_contexts says what {base} is"
    name, _, tag = tagged(base).partition(":")
    if name.partition("@")[0] != _PYTHON or any(each in tag for each in _OTHER_LIBRARY):
        return f"what {base} brings along is not known: only official images of Python with glibc are shared"
    return why_base_stays(dockerfile, arguments, base, line)


def _why_environment_is_not_made(steps: Sequence[StepWork], environment: str) -> str:
    """Return why an environment cannot be there before the build makes it; empty where it can.

    What it lies in is there in the image, or is made by ``WORKDIR`` before anything else is put there.
    """
    above = environment.rpartition("/")[0]
    if above in _THERE:
        return ""
    for step in steps:
        if step.identity == f"{_WORKDIR}{above}" and above.rpartition("/")[0] in _THERE:
            return ""
        written = [path for effect in step.effects for piece in effect.writes for path in _written(piece)]
        if any(_meet(path, above) for path in (*written, *([step.into] if step.into else ()))):
            break
    return f"{above}, where the environment {environment} is, is made in some other way than by WORKDIR"


def _why_place_is_touched(steps: Sequence[StepWork], place: str, environment: str) -> str:
    """Return what is done to the place of installation besides installing; empty for nothing."""
    installed = False
    last = max(number for number, step in enumerate(steps) if any(map(_is_open, step.effects)))
    for step in steps[:last]:
        if _LISTED.search(step.text):
            return f"line {step.line} keeps what pip lists before all is installed"
    for step in steps:
        # What is copied over an install is over it in either case.
        if not installed and step.from_stage is not None and _meet(step.into, place):
            return f"line {step.line} copies into {step.into} before it is installed"
        for effect in step.effects:
            if effect.terms is not None:
                installed = installed or not effect.terms.apart
                continue
            written = [path for piece in effect.writes for path in _written(piece, environment)]
            # A directory alone may be there before, or not.
            written = [] if step.identity.startswith(_WORKDIR) else written
            if not installed and any(_meet(each, place) for each in written):
                return f"line {step.line} writes into {place} before it is installed"
            if _changes(effect, place):
                return f"line {step.line} removes or changes what is installed"
        if any(effect.uninstalls for effect in step.effects):
            return f"line {step.line} removes or replaces what is installed"
    return ""


def _is_open(effect: SizedEffect) -> bool:
    return effect.terms is not None and not effect.terms.apart


def _meet(one: str, other: str) -> bool:
    """Return whether one of two paths lies below the other; a pattern may mean all that its fixed part holds."""
    first, second = _parts(one), _parts(other)
    length = min(len(first), len(second))
    return first[:length] == second[:length]


def _parts(path: str) -> list[str]:
    parts = [part for part in path.split("/") if part]
    return list(takewhile(lambda part: not _WILD & set(part), parts))


def _written(piece: WrittenBytes, environment: str = "") -> list[str]:
    # What comes of a package of the system lies in the system's places; an environment is made over what is there.
    if piece.package or (environment and (piece.name, piece.place) == (f"environment {environment}", environment)):
        return []
    # Bytecode lies beside what was there before.
    if piece.parts and all(part.kind == "bytecode" for part in piece.parts):
        return []
    # Among files that are known, what the environment lies in is a directory, which may be there before.
    files = [path for path, *_ in piece.files if not environment.startswith(f"{path}/")]
    return files if piece.files else [piece.place] if piece.place else []


def _changes(effect: SizedEffect, place: str) -> bool:
    paths = [*effect.removes, *effect.rewrites, *effect.alters, *(source for source, _ in (*effect.moves,))]
    paths += [path for found in effect.finds for path in found.paths]
    return any(_meet(path, place) for path in paths)


def _wheels(
    everything: Sequence[_Install], first: InstallTerms, kind: EngineKind
) -> tuple[dict[SharedWheel, str], tuple[Apart, ...]]:
    """Return the wheels that may be shared, each with the layer that has it as it is written, and what may not."""
    installs = [each for each in everything if not each.terms.apart]
    others = {name: why for each in installs for name, why in each.terms.others}
    elsewhere = {name: each.terms for each in everything if each.terms.apart for name in each.terms.names or ()}
    like = [each for each in installs if (each.terms.target, each.terms.compiles) == (first.target, first.compiles)]
    clashing = dict(_clashes(everything, first.place))
    found: dict[SharedWheel, str] = {}
    for piece, layer in [(piece, each.layer) for each in like for piece in each.effect.writes]:
        wheel = piece.wheel
        if wheel is None:
            continue
        if wheel.name in elsewhere:
            others[wheel.name] = f"it is installed besides by {elsewhere[wheel.name].command}"
        elif wheel.name in clashing:
            others[wheel.name] = f"it writes {clashing[wheel.name]}, as another one does: the later one wins"
        else:
            kept_bytes = inner_bytes = piece.disk.likely_bytes
            if kind is EngineKind.CONTAINERD:
                kept_bytes = 2 * inner_bytes + piece.compressed.likely_bytes
            sizes = kept_bytes, inner_bytes, piece.download.likely_bytes
            found[SharedWheel(wheel.name, wheel.version, wheel.digest, wheel.index, *sizes)] = layer
    return found, tuple(Apart(name, why) for name, why in others.items())


def _clashes(installs: Iterable[_Install], place: str) -> Iterator[tuple[str, str]]:
    """Yield the wheels that own a path which another one owns as well, whether that one may be shared or not."""
    owners: dict[str, set[str]] = {}
    for each in installs:
        if each.terms.place != place:
            continue
        for path, name in each.terms.taken:
            owners.setdefault(path, set()).add(name)
        for wheel in (piece.wheel for piece in each.effect.writes):
            for path in wheel.paths if wheel is not None else ():
                owners.setdefault(path, set()).add(wheel.name if wheel is not None else "")
    for path, names in owners.items():
        if len(names) > 1:
            yield from ((name, path) for name in sorted(names))
