"""What building one image costs, instruction by instruction, by what each engine does with layers.

Identity of a layer is its place in a chain: what it stands on and what makes it. The builder before BuildKit has the
whole context copied and commits each layer by copying it; BuildKit keeps the sources of ``COPY`` and every stage;
containerd keeps compressed layers besides. A builder in a container keeps all of it in its own volume, compressed
layers too, and has its result loaded into the engine.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.addresses import redacted
from tonnage.forecast.costs.cache_exports import export_step, in_time
from tonnage.forecast.costs.contributors import contributors
from tonnage.forecast.costs.copied_image_files import copied_paths
from tonnage.forecast.costs.done_layers import DoneLayers, built_again
from tonnage.forecast.costs.found_files import paths_of
from tonnage.forecast.costs.image_paths import any_covers
from tonnage.forecast.costs.layer_costs import layer_cost
from tonnage.forecast.costs.learning import with_lesson
from tonnage.forecast.costs.side_by_side import with_others
from tonnage.forecast.costs.stage_notes import noted_of, with_notes
from tonnage.forecast.costs.totals import add_up
from tonnage.model.forecast.estimate import (
    BLOB,
    DATA_ROOT,
    LOAD,
    LOADED,
    MADE,
    NOTHING,
    UNPACKED,
    EngineKind,
    Estimate,
    Grade,
    Holding,
    InstructionForecast,
    ServiceForecast,
    above,
    highest,
    total,
    weakest,
)
from tonnage.model.forecast.margins import but_for
from tonnage.model.forecast.sized_effects import SizedEffect
from tonnage.model.inventory import CONTAINERD

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.forecast.costs.layer_costs import LayerCost
    from tonnage.model.forecast.sized_effects import BaseLayers, BuildWork, StageWork, StepWork, WrittenBytes

# What a layer takes besides its files: its directories, those above what it holds, what the engine notes of it.
LAYER_DISK = but_for(16_384, 65_536, 131_072)
# What a compressed layer takes besides: heads in its archive, the rest of a block, what containerd notes of it.
BLOB_DISK = but_for(4_096, 8_192, 32_768)
# What an image takes besides its layers: its configuration, its Dockerfile, and what BuildKit writes down of a build,
# some 0.15 MB since Docker 23, of the last fifty, and as much for the first build of a new engine.
IMAGE_DISK = but_for(4_096, 65_536, 262_144)
# What of both is counted in an image in containerd: manifests, configurations and attestations; directories of a layer.
DOCUMENTS = but_for(1_024, 8_192, 131_072)
DIRECTORIES = but_for(4_096, 8_192, 65_536)
# What any instruction needs while it is done: the files that a builder puts under its container, its notes.
STEP_TRANSIENT = Estimate(0, 32_768, 1_000_000, Grade.DECLARED)
_NONE_DONE = DoneLayers()
# Begins the identity of a layer that a builder beside the engine pulled for itself.
_BESIDE = "beside:"


class _EndLayer(Struct, frozen=True):
    """One layer of a stage as it is loaded into an engine, and whether that has it."""

    key: str
    kept: Estimate
    compressed: Estimate
    present: bool


class _StageEnd(Struct, frozen=True, kw_only=True):
    """How a stage ends: its name, identity, what can be seen in it, the image below it, and its layers."""

    name: str
    key: str
    visible: tuple[WrittenBytes, ...]
    base_size: Estimate
    layers: tuple[_EndLayer, ...]


def forecast_service(work: BuildWork, engine: EngineKind, done: DoneLayers = _NONE_DONE) -> ServiceForecast:
    """Return what building one image costs."""
    built = any(stage.steps for stage in work.stages)
    if not built:
        engine = engine.keeps
    endings, steps = _stages(work, engine, done.there | done.gone)
    if any(step.key in done.gone for *_, step in steps):
        keys = {stage.index: [step.key for at, _, step in steps if at == stage.index] for stage in work.stages}
        own = {stage.index: keys[stage.index][len(keys[stage.index]) - len(stage.steps) :] for stage in work.stages}
        endings, steps = _stages(work, engine, (done.there | done.gone) - built_again(work, own, done.there))
    together = with_others(work, steps) if engine is not EngineKind.CLASSIC else [step for *_, step in steps]
    if built:
        together[-1] = _with_image(together[-1], endings[work.target].key, engine, work.attached)
    if engine.keeps is EngineKind.CONTAINERD and work.platforms > 1:
        together[-1] = _with_platforms(together[-1], together, work.platforms)
    if work.scanner is not None:
        step = _from(work.scanner, 0, str(work.target), engine, shown=False)
        together.append(replace(step, text=f"list what is in the image with {work.scanner.name}"))
    if engine.is_beside:
        together.append(_load(work, endings[work.target], engine.keeps))
    exported = [export_step(export, together) for export in work.exports] if built else []
    if exported:
        # What is exported is there before, so that it counts at the moments of that as well.
        together = [in_time(step) for step in together]
    together += [step for step, _ in exported if step is not None]
    beside = work.context if engine is EngineKind.CLASSIC and built else NOTHING
    sums = add_up(together, beside=beside)
    return ServiceForecast(
        service=work.service,
        image=total(step.image for step in together),
        disk=sums.kept,
        transient=above(sums.peak, sums.kept),
        download=sums.download,
        steps=tuple(together),
        beside=beside,
        target=work.python,
        failures=tuple(map(redacted, work.failures)),
        findings=tuple(replace(each, text=redacted(each.text), todo=redacted(each.todo)) for each in work.findings),
        notes=(*map(redacted, work.notes), *(told for _, told in exported if told)),
        broken=work.broken,
    )


def _stages(
    work: BuildWork, engine: EngineKind, present: frozenset[str]
) -> tuple[dict[int, _StageEnd], list[tuple[int, int, InstructionForecast]]]:
    """Return how each stage ends, and its instructions, each with its stage and its place there."""
    endings: dict[int, _StageEnd] = {}
    steps: list[tuple[int, int, InstructionForecast]] = []
    in_image = _stages_of_image(work)
    whole = any(export.whole for export in work.exports)
    for stage in work.stages:
        shown = stage.index in in_image
        ending, its_steps = _stage(stage, engine, present, endings, shown=shown, packs=shown or whole)
        endings[stage.index] = ending
        steps += [(stage.index, number, step) for number, step in enumerate(its_steps)]
    return endings, steps


def _stage(
    stage: StageWork,
    engine: EngineKind,
    present: frozenset[str],
    endings: dict[int, _StageEnd],
    *,
    shown: bool,
    packs: bool,
) -> tuple[_StageEnd, list[InstructionForecast]]:
    steps: list[InstructionForecast] = []
    layers: list[_EndLayer] = []
    name = stage.name or str(stage.index)
    if stage.on_stage is not None:
        below = endings[stage.on_stage]
        key, visible, base_size = below.key, below.visible, below.base_size
        layers += below.layers
    else:
        key, visible, base_size = "scratch", (), NOTHING
        if stage.base is not None:
            step = _from(stage.base, stage.line, name, engine, shown=shown)
            steps.append(step)
            layers += [
                _EndLayer(layer.chain_id, layer.disk + LAYER_DISK, layer.compressed, layer.present)
                for layer in stage.base.layers
            ]
            key, base_size = step.key, total(layer.image for layer in stage.base.layers)
    known, paths = {(piece.name, piece.place) for piece in visible}, paths_of(visible)
    for each in stage.steps:
        if each.configures:
            # The builder before BuildKit makes an image of every instruction; for BuildKit it is no work at all.
            key = _joined(key, each.text) if engine is EngineKind.CLASSIC else key
            text = redacted(each.text)
            steps.append(InstructionForecast(stage=name, line=each.line, text=text, key="", how="writes no file"))
            continue
        effects, identity, noted = each.effects, each.identity, NOTHING
        if each.from_stage is not None:
            source = endings[each.from_stage]
            noted = noted_of((source.base_size, *(piece.image for piece in source.visible)), engine)
            copied = copied_paths(each.takes, each.into, source.visible, source.base_size, source.name)
            effects = (SizedEffect(writes=copied), *effects)
            identity = f"{identity}\0{source.key}"
        identity = "\0".join((identity, *(endings[index].key for index, *_ in each.mounts)))
        key = _joined(key, identity or each.text)
        cost = layer_cost(effects, visible, base_size, _mounted(each, endings), each.beside, known, paths)
        cost = with_lesson(cost, each.lesson, tried=each.tried)
        visible = cost.visible
        known.update((piece.name, piece.place) for piece in cost.pieces)
        paths |= paths_of(cost.pieces)
        done = _instruction(each, cost, name, key, engine, shown=shown, packs=packs, present=key in present)
        steps.append(with_notes(done, noted))
        layers.append(_EndLayer(key, cost.disk + LAYER_DISK, _blob(cost), key in present))
    return _StageEnd(name=name, key=key, visible=visible, base_size=base_size, layers=tuple(layers)), steps


def _mounted(work: StepWork, endings: Mapping[int, _StageEnd]) -> tuple[WrittenBytes, ...]:
    found = list(work.mounted)
    for index, source, target in work.mounts:
        stage = endings[index]
        found += copied_paths((f"/{source.lstrip('/')}",), target, stage.visible, stage.base_size, stage.name)
    return tuple(found)


def _from(base: BaseLayers, line: int, stage: str, engine: EngineKind, *, shown: bool) -> InstructionForecast:
    role = CONTAINERD if engine is EngineKind.CONTAINERD else DATA_ROOT
    layers = [(layer, base.beside if engine.is_beside else layer.present) for layer in base.layers]
    missing = [layer for layer, present in layers if not present]
    where = _BESIDE if engine.is_beside else ""
    shows_blobs = shown and engine.keeps is EngineKind.CONTAINERD
    holdings = [
        Holding(
            key=f"{where}{layer.chain_id}",
            role=role,
            kept=layer.disk + LAYER_DISK,
            image=NOTHING if not shown else layer.disk if shows_blobs else layer.image,
            download=layer.compressed,
            present=present,
            in_image=shown,
        )
        for layer, present in layers
    ]
    keeps_blobs = engine is EngineKind.CONTAINERD or engine.is_beside
    if keeps_blobs:
        holdings += [
            Holding(
                key=f"{BLOB}{where}{layer.chain_id}",
                role=role,
                kept=layer.compressed,
                image=layer.compressed if shows_blobs else NOTHING,
                present=present,
                in_image=shown,
            )
            for layer, present in layers
        ]
    download = total(layer.compressed for layer in missing)
    transient = NOTHING
    if missing and not keeps_blobs:
        # Each compressed layer is removed once it is unpacked; how many lie there at once depends on the network.
        worst = highest(layer.compressed for layer in missing)
        transient = Estimate(0, worst.likely_bytes, download.high_bytes, download.grade)
    key = base.layers[-1].chain_id if base.layers else base.identity or base.name
    return InstructionForecast(
        stage=stage,
        line=line,
        text=f"FROM {base.name}",
        image=total(holding.image for holding in holdings),
        disk=total(holding.kept for holding in holdings if not holding.present),
        transient=transient,
        download=download,
        holdings=tuple(holdings),
        key=key,
        how=base.how,
        role=role,
        present=bool(base.layers) and not missing,
    )


def _instruction(
    work: StepWork,
    cost: LayerCost,
    stage: str,
    key: str,
    engine: EngineKind,
    *,
    shown: bool,
    packs: bool,
    present: bool,
) -> InstructionForecast:
    role = CONTAINERD if engine is EngineKind.CONTAINERD else DATA_ROOT
    shows_blobs = shown and engine.keeps is EngineKind.CONTAINERD
    holdings = [
        Holding(
            key=key,
            role=role,
            kept=cost.disk + LAYER_DISK,
            image=NOTHING if not shown else cost.disk + DIRECTORIES if shows_blobs else cost.image,
            download=cost.download,
            present=present,
            in_image=shown,
        )
    ]
    transient = cost.transient + STEP_TRANSIENT
    if engine is EngineKind.CLASSIC:
        # The container of an instruction has a copy of what lies in volumes, until its layer is committed.
        copied = total(each.disk for each in cost.visible if any_covers([to for to, _ in work.beside], each.place))
        transient = transient + copied + cost.disk if work.beside else highest((transient, cost.disk))
    else:
        holdings += [Holding(key=aside.key, role=role, kept=aside.disk, present=present) for aside in cost.asides]
        holdings += [Holding(key=source.key, role=role, kept=source.disk, present=present) for source in work.sources]
    if packs and (engine is EngineKind.CONTAINERD or engine.is_beside):
        late = shown and engine is EngineKind.CONTAINERD
        blob, image = _blob(cost), cost.compressed if shows_blobs else NOTHING
        holdings.append(
            Holding(key=f"{BLOB}{key}", role=role, kept=blob, image=image, present=present, in_image=shown, late=late)
        )
    if shown and engine is EngineKind.CONTAINERD:
        # The image is unpacked from its blobs beside what BuildKit keeps. Source: measured with Docker 26.1 and 28.5.
        kept = cost.disk + LAYER_DISK
        holdings.append(
            Holding(key=f"{UNPACKED}{key}", role=role, kept=kept, present=present, in_image=True, late=True)
        )
    return InstructionForecast(
        stage=stage,
        line=work.line,
        text=redacted(work.text),
        image=total(holding.image for holding in holdings),
        disk=NOTHING if present else total(holding.kept for holding in holdings),
        transient=NOTHING if present else transient,
        download=NOTHING if present else cost.download,
        holdings=tuple(holdings),
        contributors=contributors(cost),
        key=key,
        learn_key=work.learn_key,
        how=work.how,
        role=role,
        present=present,
    )


def _blob(cost: LayerCost) -> Estimate:
    """Return what a layer takes compressed: that is estimated at best, however well its files are known."""
    if not cost.compressed.high_bytes:
        return BLOB_DISK
    return replace(cost.compressed, grade=weakest((cost.compressed.grade, Grade.DECLARED))) + BLOB_DISK


def _with_image(last: InstructionForecast, key: str, engine: EngineKind, attached: Estimate) -> InstructionForecast:
    role = CONTAINERD if engine is EngineKind.CONTAINERD else DATA_ROOT
    kept = IMAGE_DISK + attached
    image = DOCUMENTS + attached if engine.keeps is EngineKind.CONTAINERD else NOTHING
    holding = Holding(key=f"image:{key}", role=role, kept=kept, image=image, present=last.present)
    disk = last.disk if last.present else last.disk + kept
    return replace(last, image=last.image + image, disk=disk, holdings=(*last.holdings, holding))


def _with_platforms(
    last: InstructionForecast, steps: Sequence[InstructionForecast], platforms: int
) -> InstructionForecast:
    """Add what is shown of an image for each further platform: as much again, also of layers that all of them have."""
    shown = total(step.image for step in steps)
    once = Estimate(0, shown.likely_bytes, shown.high_bytes, weakest((shown.grade, Grade.DECLARED)))
    more = once.each(lambda count: count * (platforms - 1))
    holding = Holding(key=f"platforms:{last.key}", role=last.role, kept=NOTHING, image=more, present=last.present)
    return replace(last, image=last.image + more, holdings=(*last.holdings, holding))


def _load(work: BuildWork, ending: _StageEnd, engine: EngineKind) -> InstructionForecast:
    """Return what it costs to hand the image to an engine, which keeps it as one that it was given.

    The archive holds every layer. The classic store takes it down whole before it unpacks what it lacks, containerd
    keeps the blobs that it is made of.
    """
    role = CONTAINERD if engine is EngineKind.CONTAINERD else DATA_ROOT
    holdings = [
        Holding(key=f"{LOADED}{layer.key}", role=role, kept=layer.kept, present=layer.present)
        for layer in ending.layers
    ]
    archive = total(layer.compressed for layer in ending.layers)
    if engine is EngineKind.CONTAINERD:
        archive = STEP_TRANSIENT
        holdings += [
            Holding(key=f"{LOADED}blob:{layer.key}", role=role, kept=layer.compressed, present=layer.present)
            for layer in ending.layers
        ]
    holdings.append(Holding(key=f"{LOADED}image:{ending.key}", role=role, kept=IMAGE_DISK))
    return InstructionForecast(
        stage=str(work.target),
        line=0,
        text="load the image from the builder into the engine",
        disk=total(holding.kept for holding in holdings if not holding.present),
        transient=archive,
        holdings=tuple(holdings),
        key=f"{LOAD}{ending.key}",
        how="once more every layer that the engine lacks, and on the way the archive",
        role=role,
    )


def _stages_of_image(work: BuildWork) -> set[int]:
    below = {stage.index: stage.on_stage for stage in work.stages}
    index, found = below[work.target], {work.target}
    while index is not None:
        found.add(index)
        index = below[index]
    return found


def _joined(below: str, identity: str) -> str:
    return MADE + hashlib.sha256(f"{below}\0{identity}".encode()).hexdigest()
