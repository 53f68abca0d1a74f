"""Strategies: small stacks, their next versions, and what other people have on the same engine."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import strategies as st
from tests.simulator import Behaviour, Check, Instruction, Recipe, Simulator
from tests.simulator.deploying import Described, Harbour

if TYPE_CHECKING:
    from collections.abc import Iterator

GOOD = (
    Behaviour(),
    Behaviour(check=Check(), passes_after_s=2.0),
    Behaviour(check=Check(start_period_s=5.0, retries=1), passes_after_s=4.0),
)
BAD = (
    Behaviour(check=Check(), passes_after_s=None),
    Behaviour(exits_after_s=0.4, exit_code=3),
    Behaviour(exits_after_s=1.1, exit_code=0),
)
JOB = Behaviour(exits_after_s=0.7, exit_code=0)
# A journal waits for the disk at every step; thousands of them need not.
MEMORY = Path("/dev/shm")
SIZES = st.integers(min_value=1_009, max_value=900_000_001)


@st.composite
def recipes(draw: st.DrawFn, behaviours: tuple[Behaviour, ...] = GOOD) -> Recipe:
    """Draw a recipe; a few texts are drawn often, so that caches and chains are shared."""
    instructions = draw(
        st.lists(
            st.builds(
                Instruction,
                text=st.sampled_from(("RUN apt", "RUN pip", "COPY app", "RUN build")),
                kept_bytes=SIZES,
                transient_bytes=SIZES,
                content=st.sampled_from(("", "sources")),
            ),
            min_size=1,
            max_size=3,
        )
    )
    return Recipe(instructions=tuple(instructions), behaviour=draw(st.sampled_from(behaviours)))


@st.composite
def stacks(draw: st.DrawFn) -> tuple[Described, ...]:
    """Draw one to four services that become healthy."""
    services: list[Described] = []
    for number in range(draw(st.integers(1, 4))):
        name = "abcd"[number]
        earlier = tuple(each.name for each in services)
        depends_on = tuple(draw(st.lists(st.sampled_from(earlier), unique=True))) if earlier else ()
        kind = draw(st.sampled_from(("built", "built", "built", "stateful", "job", "pulled")))
        if kind == "pulled":
            services.append(
                Described(name=name, image=f"database:{number}", volume=f"data-{name}", depends_on=depends_on)
            )
            continue
        if kind == "job":
            recipe = draw(recipes((JOB,)))
            services.append(Described(name=name, recipe=recipe, one_shot=True, depends_on=depends_on))
            continue
        port = draw(st.sampled_from(("", f"808{number}")))
        services.append(
            Described(
                name=name,
                recipe=draw(recipes()),
                depends_on=depends_on,
                port=port,
                replicas=1 if port else draw(st.integers(1, 3)),
                volume=f"data-{name}" if kind == "stateful" else "",
            )
        )
    return tuple(draw(st.permutations(services)))


@contextmanager
def harbour(size_bytes: int = 40_000_000_033) -> Iterator[Harbour]:
    """Give an engine on which others have an image, a container, a volume and a dangling image already."""
    engine = Simulator(size_bytes)
    engine.add_image("theirs:1", (("theirs", 1_000_033),))
    engine.add_image("", (("nobody's", 2_000_003),))
    engine.add_image("stopped:1", (("stopped", 3_000_017),))
    engine.add_container("theirs-web-1", "theirs:1", project="theirs", service="web")
    engine.add_container("theirs-old-1", "stopped:1", project="theirs", service="old", running=False)
    engine.add_volume("theirs_data", 4_000_037, project="theirs")
    for number in range(4):
        engine.add_to_registry(f"database:{number}", ((f"database {number}", 5_000_011),))
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as directory:
        yield Harbour(engine=engine, journal=Path(directory) / "journal.sqlite")


def next_recipe(recipe: Recipe, behaviour: Behaviour, *, fails: bool = False) -> Recipe:
    """Return a new version of a recipe: one more instruction, and another behaviour."""
    more = Instruction(text=f"RUN change {len(recipe.instructions)}", kept_bytes=1_000_003, fails=fails)
    return Recipe(instructions=(*recipe.instructions, more), behaviour=behaviour)
