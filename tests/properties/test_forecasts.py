"""What holds of every forecast, whatever the Dockerfiles do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.properties.structs import structs

from tonnage.forecast.costs.build_costs import forecast_service
from tonnage.forecast.costs.done_layers import DoneLayers
from tonnage.forecast.costs.effect_sizes import InstructionEffects, sized_effects
from tonnage.forecast.costs.totals import fit_into, forecast_stack
from tonnage.model.forecast.effects import AptInstall, Download, GitClone, Opaque, Remove, Source, Unpack, WriteFile
from tonnage.model.forecast.estimate import EngineKind, Grade, assumed, spread
from tonnage.model.forecast.fit import FitVerdict, Room
from tonnage.model.forecast.sized_effects import (
    Aside,
    BaseLayerBytes,
    BaseLayers,
    BuildWork,
    SizedEffect,
    StageWork,
    StepWork,
    WrittenBytes,
)
from tonnage.model.stack import Place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.forecast.effects import AnyEffect
    from tonnage.model.forecast.estimate import Estimate, InstructionForecast, ServiceForecast
    from tonnage.model.forecast.stack_forecast import StackForecast

PLACES = ("/app", "/app/data", "/opt/venv/lib", "/root/.cache", "")
SIZES = st.integers(0, 3_000_000_017)
ESTIMATES = st.builds(spread, SIZES, SIZES, SIZES, st.sampled_from([Grade.EXACT, Grade.DECLARED, Grade.LEARNED]))
PIECES = structs(
    WrittenBytes,
    name=st.sampled_from(["torch", "numpy", "app"]),
    place=st.sampled_from(PLACES),
    image=ESTIMATES,
    disk=ESTIMATES,
    transient=ESTIMATES,
    download=ESTIMATES,
    compressed=ESTIMATES,
)
EFFECTS = structs(
    SizedEffect,
    writes=st.lists(PIECES, max_size=3).map(tuple),
    transient=ESTIMATES,
    asides=st.lists(
        st.sampled_from(
            [Aside(key=f"cache:{n}", name="cache", disk=spread(n, 7 * n, 9 * n, Grade.EXACT)) for n in (104_729, 7_919)]
        ),
        max_size=1,
    ).map(tuple),
    removes=st.lists(st.sampled_from(["/app/*", "/root/.cache"]), max_size=1).map(tuple),
    rewrites=st.lists(st.just("/app"), max_size=1).map(tuple),
)
STEPS = structs(
    StepWork,
    line=st.integers(1, 99),
    text=st.sampled_from(["RUN one", "RUN two", "RUN three"]),
    effects=st.lists(EFFECTS, max_size=3).map(tuple),
)
GROUND = BaseLayers(
    name="base",
    layers=(
        BaseLayerBytes(
            chain_id="base/0",
            image=spread(120_519_024, 120_519_024, 120_519_024, Grade.EXACT),
            disk=spread(130_000_003, 130_000_003, 130_000_003, Grade.EXACT),
            compressed=spread(40_000_003, 40_000_003, 40_000_003, Grade.EXACT),
        ),
    ),
)
ENGINES = st.sampled_from(list(EngineKind))


@st.composite
def works(draw: st.DrawFn) -> BuildWork:
    """Return one build: a stage with packages, and perhaps another one that takes files from it."""
    # What two services have in common does the same in both: an instruction's text says everything here.
    pool = draw(st.shared(st.lists(STEPS, min_size=3, max_size=3, unique_by=lambda step: step.text), key="pool"))
    chosen = draw(st.lists(st.sampled_from(pool), max_size=4))
    first = StageWork(index=0, base=GROUND, steps=tuple(chosen))
    stages = [first]
    if draw(st.booleans()):
        taking = StepWork(line=9, text="COPY --from=0", from_stage=0, takes=("/app",), into="/app")
        own = tuple(draw(st.lists(st.sampled_from(pool), max_size=2)))
        stages.append(StageWork(index=1, base=GROUND, needs=(0,), steps=(*own, taking)))
    return BuildWork(
        service=draw(st.sampled_from(["web", "worker", "model"])), stages=tuple(stages), target=stages[-1].index
    )


def stack(works_: Sequence[BuildWork], engine: EngineKind) -> StackForecast:
    return forecast_stack("shop", engine, [forecast_service(work, engine) for work in works_])


def three(estimate: Estimate) -> tuple[int, int, int]:
    return (estimate.low_bytes, estimate.likely_bytes, estimate.high_bytes)


@settings(max_examples=25)
@given(st.lists(works(), min_size=1, max_size=3), ENGINES)
def test_figures_are_in_order(some: list[BuildWork], engine: EngineKind) -> None:
    whole = stack(some, engine)

    some_forecasts: list[StackForecast | ServiceForecast | InstructionForecast] = [whole, *whole.services]
    some_forecasts += [step for service in whole.services for step in service.steps]
    for one in some_forecasts:
        for each in (one.image, one.disk, one.transient, one.download):
            assert 0 <= each.low_bytes <= each.likely_bytes <= each.high_bytes


@settings(max_examples=25)
@given(st.lists(works(), min_size=1, max_size=3), ENGINES)
def test_a_peak_is_not_below_what_stays(some: list[BuildWork], engine: EngineKind) -> None:
    for disk in stack(some, engine).filesystems:
        for kept, one, every in zip(
            three(disk.kept), three(disk.one_after_the_other), three(disk.all_at_once), strict=True
        ):
            assert kept <= one <= every


@settings(max_examples=25)
@given(st.lists(works(), min_size=1, max_size=3), ENGINES)
def test_the_union_is_at_most_the_sum(some: list[BuildWork], engine: EngineKind) -> None:
    whole = stack(some, engine)

    for figure in range(3):
        assert three(whole.disk)[figure] <= sum(three(service.disk)[figure] for service in whole.services)
        assert three(whole.image)[figure] <= sum(three(service.image)[figure] for service in whole.services)
        assert three(whole.download)[figure] <= sum(three(service.download)[figure] for service in whole.services)


@settings(max_examples=25)
@given(st.lists(works(), min_size=2, max_size=4), ENGINES, st.data())
def test_removing_a_service_never_raises_what_stays(
    some: list[BuildWork], engine: EngineKind, data: st.DataObject
) -> None:
    without = list(some)
    del without[data.draw(st.integers(0, len(some) - 1))]
    whole, less = stack(some, engine), stack(without, engine)

    for figure in range(3):
        assert three(less.disk)[figure] <= three(whole.disk)[figure]
        assert three(less.image)[figure] <= three(whole.image)[figure]


@settings(max_examples=25)
@given(works(), ENGINES)
def test_the_same_build_twice_costs_once(work: BuildWork, engine: EngineKind) -> None:
    once, twice = stack([work], engine), stack([work, replace(work, service="twin")], engine)

    assert twice.disk == once.disk
    assert twice.image == once.image
    assert twice.download == once.download


@settings(max_examples=25)
@given(works(), ENGINES)
def test_what_the_engine_has_adds_nothing(work: BuildWork, engine: EngineKind) -> None:
    made = {step.key for step in forecast_service(work, engine).steps if step.key.startswith("made:")}
    again = forecast_service(work, engine, DoneLayers(frozenset(made)))

    for step in again.steps:
        if step.key in made:
            assert step.disk.high_bytes == step.download.high_bytes == step.transient.high_bytes == 0


HERE = Place("Dockerfile", 7)
ARCHIVE = "https://example.org/weights.tar.gz"
PATHS = ("/tmp/weights.tar.gz", "/opt/weights", "/root/.cache")
PATH = st.sampled_from(PATHS)
COMMANDS = st.one_of(
    st.builds(lambda path: Download(command="curl", place=HERE, address=ARCHIVE, path=path), PATH),
    st.builds(lambda path: Unpack(command="tar", place=HERE, archive=PATHS[0], directory=path), PATH),
    st.builds(lambda path: Unpack(command="curl | tar", place=HERE, address=ARCHIVE, directory=path), PATH),
    st.builds(
        lambda path, may: Remove(command="rm", place=HERE, paths=(path,), conditional=may), PATH, st.booleans()
    ),
    st.builds(lambda path: WriteFile(command="x >", place=HERE, path=path, source=Source(known=False)), PATH),
    st.just(AptInstall(command="apt-get install x", place=HERE, packages=("x",))),
    st.just(Opaque(command="make", place=HERE, key="make")),
    st.just(GitClone(command="git clone", place=HERE, address="https://example.org/x.git", directory="/opt/x")),
)  # fmt: skip


def _writes(command: AnyEffect, path: str) -> bool:
    written = command.directory if isinstance(command, Unpack) else getattr(command, "path", "")
    return written == path


TOLD = st.one_of(st.none(), ESTIMATES, SIZES.map(assumed))
LEAST_VERDICT = list(FitVerdict)


@settings(max_examples=60)
@given(
    st.lists(st.lists(COMMANDS, min_size=1, max_size=5), min_size=1, max_size=4),
    COMMANDS, TOLD, st.integers(0, 3), SIZES, st.sampled_from([0, 500_000_003]), ENGINES,
)  # fmt: skip
def test_no_command_more_makes_anything_fit(
    runs: list[list[AnyEffect]],
    more: AnyEffect,
    told: Estimate | None,
    at: int,
    available_bytes: int,
    assumed_bytes: int,
    engine: EngineKind,
) -> None:
    # Blobs, and copies of the classic builder, are made of what is left, and so are later layers: there a removal
    # provably takes something off.
    last = at % len(runs) == len(runs) - 1
    assume(not isinstance(more, Remove) or (engine is EngineKind.BUILDKIT and last))
    found = InstructionEffects(sizes={} if told is None else {ARCHIVE: told}, assume_bytes=assumed_bytes)
    longer = [[*run, more] if number == at % len(runs) else run for number, run in enumerate(runs)]
    # A file that is written says what a later archive is: it provably replaces whatever was assumed there.
    later = [command for run in runs[at % len(runs) + 1 :] for command in run]
    assume(not (_writes(more, PATHS[0]) and any(isinstance(each, Unpack) and each.archive for each in later)))
    # Nor is what a file held there that is written over.
    over = [path for path in PATHS if _writes(more, path)]
    assume(
        not any(_writes(each, path) and isinstance(each, WriteFile) for path in over for each in runs[at % len(runs)])
    )

    def whole(commands: list[list[AnyEffect]]) -> StackForecast:
        steps = [
            StepWork(line=9, text=f"RUN {number}", effects=sized_effects(run, found))
            for number, run in enumerate(commands)
        ]
        work = BuildWork(service="web", stages=(StageWork(index=0, base=GROUND, steps=tuple(steps)),), target=0)
        return stack([work], engine)

    before, after = whole(runs), whole(longer)
    room = Room(mount="/", roles=(), available_bytes=available_bytes, reserve_bytes=0, size_bytes=available_bytes)
    [least], [most] = fit_into(before, [room]), fit_into(after, [room])
    assert most.one_after_the_other.known
    assert most.one_after_the_other.high_bytes >= least.one_after_the_other.high_bytes
    assert LEAST_VERDICT.index(most.fit) >= LEAST_VERDICT.index(least.fit)
