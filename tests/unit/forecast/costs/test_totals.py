from __future__ import annotations

import pytest

from tonnage.forecast.costs.totals import CountedLayers, add_up, expected_builds, fit_into, without_unpacking
from tonnage.model.forecast.estimate import (
    DATA_ROOT,
    MADE,
    UNPACKED,
    EngineKind,
    Estimate,
    Grade,
    Holding,
    InstructionForecast,
    ServiceForecast,
    exactly,
)
from tonnage.model.forecast.fit import FitVerdict, Room, worst
from tonnage.model.forecast.stack_forecast import FilesystemForecast, StackForecast


def stack(one: Estimate, every: Estimate, role: str = DATA_ROOT) -> StackForecast:
    disk = FilesystemForecast(role=role, kept=exactly(1), one_after_the_other=one, all_at_once=every)
    return StackForecast(stack="shop", engine=EngineKind.BUILDKIT, services=(), filesystems=(disk,))


def room(headroom_bytes: int, *roles: str) -> Room:
    return Room(
        mount="/data",
        roles=roles or (DATA_ROOT,),
        available_bytes=headroom_bytes + 1_000_003,
        reserve_bytes=1_000_003,
        size_bytes=10**10,
    )


ONE = Estimate(700, 800, 900, Grade.DECLARED)
EVERY = Estimate(1700, 1800, 1900, Grade.DECLARED)


@pytest.mark.parametrize(
    ("headroom_bytes", "fit", "missing_bytes"),
    [
        (1900, FitVerdict.FITS, 0),
        (1899, FitVerdict.ONE_AT_A_TIME, 1),
        (900, FitVerdict.ONE_AT_A_TIME, 1000),
        (899, FitVerdict.DOUBTFUL, 1),
        (700, FitVerdict.DOUBTFUL, 200),
        (699, FitVerdict.NOT, 101),
    ],
)
def test_promises_are_made_by_the_high_figures_and_refusals_by_the_low_ones(
    headroom_bytes: int, fit: FitVerdict, missing_bytes: int
) -> None:
    [found] = fit_into(stack(ONE, EVERY), [room(headroom_bytes)])

    assert (found.fit, found.missing_bytes) == (fit, missing_bytes)


def test_what_has_no_filesystem_of_its_own_lies_on_the_first() -> None:
    [found] = fit_into(stack(ONE, EVERY, "containerd"), [room(900), room(5000, "temporary")])

    assert found.room.headroom_bytes == 900


def test_the_filesystem_with_the_least_room_decides() -> None:
    both = fit_into(
        StackForecast(
            stack="shop",
            engine=EngineKind.CONTAINERD,
            services=(),
            filesystems=(
                FilesystemForecast(role=DATA_ROOT, one_after_the_other=ONE, all_at_once=EVERY),
                FilesystemForecast(role="containerd", one_after_the_other=ONE, all_at_once=EVERY),
            ),
        ),
        [room(5000), room(100, "containerd")],
    )

    decisive = worst(both)
    assert decisive is not None
    assert (decisive.room.roles, decisive.fit) == (("containerd",), FitVerdict.NOT)


def service(name: str, *keys: str) -> ServiceForecast:
    steps = tuple(
        InstructionForecast(
            stage="0",
            line=number,
            text=f"RUN {key}",
            key=key,
            transient=exactly(307),
            holdings=(Holding(key=key, role=DATA_ROOT, kept=exactly(1009), in_image=True),),
        )
        for number, key in enumerate(keys)
    )
    return ServiceForecast(service=name, steps=steps)


def test_a_later_build_finds_what_an_earlier_one_made() -> None:
    found = expected_builds(
        [service("web", "a", "b"), service("worker", "a", "c")], roles=(DATA_ROOT,), elsewhere=(), cached_bytes=0
    )

    assert found["web"].kept == exactly(2018)
    assert found["worker"].kept == exactly(1009)
    assert found["worker"].transient == exactly(307)


def staged(name: str, *, containerd: bool = False) -> ServiceForecast:
    """A service with a layer of its image, and a stage that all services have in common."""

    def step(key: str, count: int, *, in_image: bool) -> InstructionForecast:
        held = [Holding(key=key, role=DATA_ROOT, kept=exactly(count), in_image=in_image)]
        if containerd and in_image:
            held.append(Holding(key=f"{UNPACKED}{key}", role=DATA_ROOT, kept=exactly(count), in_image=True, late=True))
        return InstructionForecast(
            stage="0", line=2, text=key, key=key, transient=exactly(11), holdings=tuple(held)
        )  # fmt: skip

    return ServiceForecast(
        service=name,
        steps=(step(f"{MADE}stage", 5003, in_image=False), step(f"{MADE}{name}", 1009, in_image=True)),
    )


@pytest.mark.parametrize(("cleans", "again_bytes"), [(False, 0), (True, 5003)])
def test_a_stage_that_was_cleaned_away_is_made_again(*, cleans: bool, again_bytes: int) -> None:
    services = [staged("web"), staged("worker")]
    found = expected_builds(services, roles=(DATA_ROOT,), elsewhere=(), cached_bytes=0, cleans=cleans)

    assert found["web"].kept == exactly(5003 + 1009)
    assert found["web"].cache == exactly(5003)
    assert found["worker"].kept == exactly(again_bytes + 1009)
    # What was given back once is not given back again.
    assert found["worker"].cache == exactly(again_bytes)


def test_what_a_builder_keeps_beside_an_image_is_given_back_too_and_made_again() -> None:
    services = [staged("web", containerd=True), staged("worker", containerd=True), staged("web", containerd=True)]
    found = expected_builds(services, roles=(DATA_ROOT,), elsewhere=(), cached_bytes=0, cleans=True, forgets=True)

    assert found["web"].kept == found["worker"].kept == exactly(5003 + 2 * 1009)
    assert found["web"].cache == found["worker"].cache == exactly(5003 + 1009)


def test_what_the_builder_may_have_cached_is_taken_off_the_low_figures_only() -> None:
    found = expected_builds([service("web", "a", "b")], roles=(DATA_ROOT,), elsewhere=(), cached_bytes=1500)

    assert found["web"].kept == Estimate(518, 2018, 2018, Grade.EXACT)
    assert found["web"].transient.low_bytes == 0


def test_what_lies_on_another_filesystem_is_not_put_to_this_one() -> None:
    found = expected_builds([service("web", "a")], roles=("state",), elsewhere=(DATA_ROOT,), cached_bytes=0)

    assert found["web"].kept.high_bytes == 0


def test_what_is_made_when_all_instructions_are_done_is_not_there_at_their_worst_moments() -> None:
    def step(key: str, *, last: bool) -> InstructionForecast:
        held = (
            Holding(key=key, role="containerd", kept=exactly(1_009)),
            Holding(key=f"blob:{key}", role="containerd", kept=exactly(307), late=True),
            Holding(key=f"{UNPACKED}{key}", role="containerd", kept=exactly(1_009), late=True),
        )
        transient = exactly(11 if last else 5_003)
        return InstructionForecast(
            stage="0", line=1, text=f"RUN {key}", key=key, role="containerd", transient=transient, holdings=held
        )

    seen = CountedLayers()
    first = add_up([step("a", last=False), step("b", last=True)], seen=seen)
    again = add_up([step("a", last=False), step("c", last=True)], seen=seen)

    assert first.kept == exactly(2 * (1_009 + 307 + 1_009))
    assert first.peak == first.peak_on["containerd"] == exactly(1_009 + 5_003)
    assert again.kept == exactly(1_009 + 307 + 1_009)


def test_what_is_only_pushed_keeps_no_copy_of_its_own() -> None:
    def holding(key: str, count: int, *, present: bool = False) -> Holding:
        return Holding(key=key, role="containerd", kept=exactly(count), present=present, in_image=True)

    step = InstructionForecast(
        stage="0", line=2, text="RUN make", key="a", disk=exactly(2300), transient=exactly(70), role="containerd",
        holdings=(holding("a", 1000), holding("blob:a", 300), holding(f"{UNPACKED}a", 1000)),
    )  # fmt: skip
    there = InstructionForecast(
        stage="0", line=1, text="RUN first", key="b", present=True, role="containerd",
        holdings=(holding("b", 500, present=True), holding(f"{UNPACKED}b", 500, present=True)),
    )  # fmt: skip
    whole = ServiceForecast(service="web", disk=exactly(2300), transient=exactly(70), steps=(there, step))

    packed = without_unpacking(whole)
    assert packed.disk == exactly(1300)
    assert packed.peak == exactly(1370)
    assert [each.disk for each in packed.steps] == [exactly(0), exactly(1300)]
    assert without_unpacking(packed) == packed
