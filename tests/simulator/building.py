"""Builds and pulls: bytes are really written, piece by piece; the disk may fill in between, or somebody may cancel."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.simulator.disk import DiskFullError
from tests.simulator.recipe import digest_of
from tests.simulator.store import StoredRecord

from tonnage.errors import StepFailedError
from tonnage.model.references import tagged

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.simulator.engine import Simulator
    from tests.simulator.recipe import Instruction

    from tonnage.adapters.interface import Cancel, Progress
    from tonnage.model.inventory import Layer
    from tonnage.model.stack import BuildSpec

PIECES = 7
BYTES_PER_SECOND = 50_000_017


def build(
    engine: Simulator,
    spec: BuildSpec,
    reference: str,
    labels: Mapping[str, str],
    *,
    progress: Progress,
    cancel: Cancel,
) -> str:
    """Build by the recipe of the context and return the image's id. What fails leaves no image and moves no name.

    Raises:
        StepFailedError: The context is not there, the base cannot be had, an instruction fails, the disk is full, or it
            was cancelled.
    """
    recipe = engine.recipes.get(spec.context)
    if recipe is None:
        raise StepFailedError(f"{reference} was not built", why=f"There is no context {spec.context}.")
    said: list[str] = []
    try:
        _send_context(engine, spec, recipe.context_bytes)
        parent = _base(engine, dict(spec.bases).get(recipe.base, recipe.base), progress, cancel)
        writer = f"writing {reference}"
        for number, instruction in enumerate(recipe.instructions, start=1):
            said.append(f"[{number}/{len(recipe.instructions)}] {instruction.text}")
            progress.at(said[-1])
            record = _made(engine, instruction, parent, no_cache=spec.no_cache)
            if record is None:
                layer = _run(engine, instruction, parent.layers, writer, said=said, progress=progress, cancel=cancel)
                record = _remember(engine, instruction, parent, (*parent.layers, layer))
            parent = record
    except DiskFullError:
        raise StepFailedError(
            f"{reference} was not built",
            why="No space left on device.",
            log="\n".join([*said, "no space left on device"]),
        ) from None
    all_labels = {**dict(spec.labels), **labels}
    image = engine.store.put_image(parent.layers, recipe.behaviour, all_labels, engine.clock.time())
    engine.store.names[tagged(reference)] = image.image_id
    return image.image_id


def pull(engine: Simulator, reference: str, *, progress: Progress, cancel: Cancel) -> str:
    """Pull an image and return its id.

    Raises:
        StepFailedError: There is no such image, the disk is full, or it was cancelled.
    """
    found = engine.registry.get(tagged(reference))
    if found is None:
        raise StepFailedError(f"{reference} was not pulled", why=f"manifest for {tagged(reference)} not found")
    contents, behaviour = found
    layers: list[Layer] = []
    try:
        for number, (_, size_bytes) in enumerate(contents):
            progress.at(f"layer {number + 1}/{len(contents)}")
            _write(engine, f"pulling {reference} {number}", size_bytes, size_bytes / BYTES_PER_SECOND, cancel)
    except (DiskFullError, StepFailedError) as error:
        for number in range(len(contents)):
            engine.disk.give_back(f"pulling {reference} {number}")
        if isinstance(error, StepFailedError):
            raise
        raise StepFailedError(f"{reference} was not pulled", why="No space left on device.") from None
    for number, (content, size_bytes) in enumerate(contents):
        writer = f"pulling {reference} {number}"
        layers.append(engine.store.put_layer(layers, digest_of("layer", content), writer, size_bytes))
    image = engine.store.put_image(layers, behaviour, {}, engine.clock.time())
    engine.store.names[tagged(reference)] = image.image_id
    engine.pulls.append((tagged(reference), engine.clock.time()))
    return image.image_id


def _send_context(engine: Simulator, spec: BuildSpec, context_bytes: int) -> None:
    # BuildKit keeps what it was sent, one record for each context, and is sent only what changed.
    record = engine.store.cached(f"context {spec.context}")
    if record is None:
        record = StoredRecord(
            record_id=engine.new_id("record")[:25],
            key=f"context {spec.context}",
            layers=(),
            description="local source for context",
            kind="source.local",
        )
        engine.store.records[record.record_id] = record
    owner = f"record {record.record_id}"
    held_bytes = engine.disk.owned_bytes(owner)
    if context_bytes < held_bytes:
        engine.disk.give_back(owner, held_bytes - context_bytes)
    record.size_bytes = context_bytes
    engine.disk.write(owner, max(0, context_bytes - held_bytes))


def _base(engine: Simulator, reference: str, progress: Progress, cancel: Cancel) -> StoredRecord:
    found = engine.store.find(reference)
    fetched = found is None
    record = engine.store.cached(f"base {reference if found is None else found.image_id}")
    if record is not None:
        return record
    image = found or engine.store.images[pull(engine, reference, progress=progress, cancel=cancel)]
    record = StoredRecord(
        record_id=engine.new_id("record")[:25],
        key=f"base {reference if fetched else image.image_id}",
        layers=image.layers,
        description=f"pulled from {reference}" if fetched else "from local ",
    )
    engine.store.records[record.record_id] = record
    if fetched:
        # A builder fetches a base into its own store: among the images it does not appear.
        del engine.store.names[tagged(reference)]
        engine.store.drop_image(image.image_id)
    return record


def _key(instruction: Instruction, parent: StoredRecord) -> str:
    below = parent.layers[-1].chain_id if parent.layers else ""
    return digest_of(below, instruction.text, instruction.content)


def _made(engine: Simulator, instruction: Instruction, parent: StoredRecord, *, no_cache: bool) -> StoredRecord | None:
    return None if no_cache else engine.store.cached(_key(instruction, parent))


def _remember(
    engine: Simulator, instruction: Instruction, parent: StoredRecord, layers: tuple[Layer, ...]
) -> StoredRecord:
    record = StoredRecord(
        record_id=engine.new_id("record")[:25],
        key=_key(instruction, parent),
        layers=layers,
        description=f"mount / from exec /bin/sh -c {instruction.text}",
        parent=parent.record_id,
        size_bytes=instruction.kept_bytes,
    )
    # The newest record with a key is the one that is found.
    engine.store.records = {record.record_id: record, **engine.store.records}
    return record


def _run(
    engine: Simulator,
    instruction: Instruction,
    below: tuple[Layer, ...],
    writer: str,
    *,
    said: list[str],
    progress: Progress,
    cancel: Cancel,
) -> Layer:
    for line in instruction.prints:
        said.append(line)
        progress.log(line)
    _write(engine, writer, instruction.kept_bytes + instruction.transient_bytes, instruction.seconds, cancel)
    if instruction.fails:
        engine.disk.give_back(writer)
        raise StepFailedError(
            "the build failed", why=f"{instruction.text} ended with exit code 1.", log="\n".join(said)
        )
    engine.disk.give_back(writer, instruction.transient_bytes)
    # The layer of a command differs each time it is made (times of files); that of copied files does not.
    diff_id = digest_of("copy", instruction.content) if instruction.content else f"sha256:{engine.new_id('layer')}"
    return engine.store.put_layer(below, diff_id, writer, instruction.kept_bytes)


def _write(engine: Simulator, writer: str, count_bytes: int, seconds: float, cancel: Cancel) -> None:
    for piece in range(PIECES):
        if cancel.is_set():
            engine.disk.give_back(writer)
            raise StepFailedError("it was stopped", why="It was cancelled.")
        engine.clock.sleep(seconds / PIECES)
        # Here alone others get their turn.
        engine.busy.release()
        time.sleep(engine.pace_s)
        engine.busy.acquire()
        try:
            engine.disk.write(writer, count_bytes * (piece + 1) // PIECES - count_bytes * piece // PIECES)
        except DiskFullError:
            engine.disk.give_back(writer)
            raise
