"""Strategies: engines with images that share layers, builds that succeeded and failed, containers and volumes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hypothesis import strategies as st
from tests.simulator import Heard, Instruction, Recipe, Simulator, VirtualEvent

from tonnage.errors import StepFailedError
from tonnage.model.reclaim.candidate import Root, Roots

if TYPE_CHECKING:
    from tests.simulator.life import LivingContainer

LAYERS = tuple((f"contents {number}", 1_000_003 * (number + 1) + 7919 * number * number) for number in range(9))
LATER_S = 10_000.0


@dataclass
class Peopled:
    """An engine, and what on it must not go, told by what was done to it and not by the code that is tested."""

    simulator: Simulator
    images: dict[str, str] = field(default_factory=dict)
    containers: set[str] = field(default_factory=set)
    volumes: set[str] = field(default_factory=set)
    needs: Roots = field(default_factory=Roots)
    running: list[LivingContainer] = field(default_factory=list)


@st.composite
def peopled(draw: st.DrawFn) -> Peopled:
    """Draw an engine."""
    engine = Simulator(2_000_000_011)
    place = Peopled(engine)
    names = ["busybox:latest"]
    for number in range(draw(st.integers(0, 6), label="images")):
        start = draw(st.sampled_from((0, 0, 0, 3)))
        own = (f"own {number}", 3_000_017 + number * 101)
        layers = (*LAYERS[start : start + draw(st.integers(1, 5))], own)
        name = draw(st.sampled_from((f"image:{number}", f"image:{number}", "")))
        image = engine.add_image(name, layers)
        names.append(name or image.image_id)
        if name and draw(st.booleans()):
            engine.acts.tag(name, f"further:{number}")
    names += _build(draw, engine)
    _live(draw, place, names)
    needed = draw(st.lists(st.sampled_from(names), max_size=2, unique=True))
    for name in needed:
        stored = engine.store.find(name)
        if stored is not None:
            place.images[stored.image_id] = "needed"
    engine.clock.sleep(LATER_S)
    written = [draw(st.sampled_from(_spellings(name))) for name in needed]
    place.needs = Roots(images=tuple(Root(name, "a test needs it") for name in written), now_s=engine.clock.time())
    return place


def _spellings(name: str) -> tuple[str, ...]:
    """Return ways in which compose files write a name of Docker's own registry."""
    if name.startswith("sha256:"):
        return (name, name.removeprefix("sha256:"), name.removeprefix("sha256:")[:12])
    return (name, f"docker.io/library/{name}", f"index.docker.io/library/{name}", f"library/{name}")


def _build(draw: st.DrawFn, engine: Simulator) -> list[str]:
    names = []
    for number in range(draw(st.integers(0, 5), label="builds")):
        instructions = tuple(_instruction(draw, 10 * number + place) for place in range(draw(st.integers(1, 4))))
        if draw(st.integers(0, 3), label="fails") == 0:
            instructions = (*instructions, Instruction(text="RUN false", kept_bytes=1_009, fails=True))
        recipe = Recipe(instructions=instructions, context_bytes=draw(st.sampled_from((0, 400_009))))
        spec = engine.describe(f"/srv/{number}", recipe)
        try:
            name = f"built:{draw(st.integers(0, 2))}"
            image_id = engine.acts.build(spec, name, {}, progress=Heard(), cancel=VirtualEvent(engine.clock))
        except StepFailedError:
            continue
        names += [name, image_id]
    return names


def _instruction(draw: st.DrawFn, number: int) -> Instruction:
    # Layers of the same bytes cannot be told apart by what an engine tells of its cache; then less is promised.
    kept_bytes = draw(st.integers(1, 9)) * 1_000_211 + number * 7919
    return Instruction(
        text=draw(st.sampled_from(("RUN apt", "RUN pip", "COPY app"))),
        kept_bytes=kept_bytes,
        # The same files are as many bytes everywhere.
        content=draw(st.sampled_from(("", f"sources of {kept_bytes} B"))),
    )


def _live(draw: st.DrawFn, place: Peopled, names: list[str]) -> None:
    engine = place.simulator
    for number in range(draw(st.integers(0, 4), label="containers")):
        image = draw(st.sampled_from(names))
        if engine.store.find(image) is None:
            continue
        project = draw(st.sampled_from(("", "shop", "theirs")))
        running = draw(st.booleans())
        container = engine.add_container(f"container-{number}", image, project=project, service="web", running=running)
        engine.disk.write(f"log {container.container_id}", draw(st.sampled_from((0, 0, 6_000_011))))
        engine.disk.write(f"container {container.container_id}", draw(st.sampled_from((0, 900_007))))
        if draw(st.booleans(), label="has an anonymous volume"):
            volume = f"anonymous-{number}"
            engine.add_volume(volume, 5_000_011)
            container.anonymous_volumes = (volume,)
            place.volumes.add(volume)
        if project or running:
            place.containers.add(container.container_id)
        place.images[container.image_id] = "used"
        if running:
            place.running.append(container)
    for number in range(draw(st.integers(0, 2), label="volumes")):
        engine.add_volume(f"volume-{number}", 7_000_003)
        place.volumes.add(f"volume-{number}")
