"""Reclaiming stands right before the step that would cross the reserve, and takes as little as it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace
from tests.unit.builders import (
    available_after,
    available_lowest,
    candidate,
    expected,
    findings,
    names,
    planned,
    shared,
    start_first,
    step,
    switch,
    unknown,
)
from tests.unit.decide.observed import GB, container, image, inventory, service, stack

from tonnage.decide.deploy.expectations import freed
from tonnage.decide.deploy.reclaim_steps import (
    Fitted,
    fitted_by_reclaiming,
    needs_reclaim,
    spare_things,
    with_reclaim_steps,
)
from tonnage.decide.reclaim.costs import shown
from tonnage.model.deploy.plan import Build, CleanCache, Pull, Reclaim, RemoveImage, Tag
from tonnage.model.forecast.estimate import NOTHING, Estimate, Grade, exactly
from tonnage.model.inventory import Filesystem, Inputs
from tonnage.model.reclaim.candidate import Findings, Root, Roots
from tonnage.model.stack import BuildSpec

if TYPE_CHECKING:
    from tonnage.model.deploy.plan import Step
    from tonnage.model.inventory import Image

LINE = 1 * GB
SPARE = tuple(
    candidate("image", f"i{number}", number * GB, cost_s=float(number), names=(f"i{number}:1",)) for number in (1, 2, 3)
)


def disk(available_bytes: int) -> Filesystem:
    return Filesystem(mount="/", roles=("data-root",), size_bytes=20 * GB, available_bytes=available_bytes)


def pull(name: str, before: int, kept: int, transient: int = 0) -> Step:
    """Return a step that begins with so many bytes, keeps some and needs others on top."""
    return expected(
        name,
        Pull(reference=f"{name}:1"),
        kept=kept,
        transient=exactly(transient),
        after=exactly(before - kept),
        lowest=exactly(before - kept - transient),
    )


def fitted(*steps: Step, available: int, spare: Findings | None = None) -> Fitted:
    found = findings(*SPARE) if spare is None else spare
    return fitted_by_reclaiming(steps, found, disk(available), LINE)


def taken(each: Step) -> list[str]:
    """Return what a step reclaims."""
    assert isinstance(each.action, Reclaim)
    return [item.name for item in each.action.items]


# -- how much, and where


def test_where_everything_fits_nothing_is_reclaimed() -> None:
    steps = (pull("one", 5 * GB, 4 * GB),)
    assert fitted(*steps, available=5 * GB) == Fitted(steps, None)


def test_a_single_byte_below_the_line_is_reclaimed_for() -> None:
    found = fitted(pull("one", 5 * GB, 4 * GB + 1), available=5 * GB)
    assert names(found.steps) == ["reclaim", "one"]
    assert found.refusal is None


def test_what_a_step_needs_on_top_for_a_while_counts() -> None:
    found = fitted(pull("one", 5 * GB, 1 * GB, transient=4 * GB), available=5 * GB)
    assert names(found.steps) == ["reclaim", "one"]
    assert taken(found.steps[0]) == ["i1"]


def test_it_stands_right_before_the_step_that_needs_it_and_not_earlier() -> None:
    steps = (pull("one", 9 * GB, 3 * GB), pull("two", 6 * GB, 3 * GB), pull("three", 3 * GB, 3 * GB))
    found = fitted(*steps, available=9 * GB)
    assert names(found.steps) == ["one", "two", "reclaim", "three"]
    assert found.steps[:2] == steps[:2]


def test_as_little_goes_as_is_enough_what_is_cheapest_first() -> None:
    found = fitted(pull("one", 5 * GB, 6 * GB + 3), available=5 * GB)
    assert taken(found.steps[0]) == ["i3"]
    assert taken(fitted(pull("one", 5 * GB, 5 * GB), available=5 * GB).steps[0]) == ["i1"]


def test_what_one_step_reclaimed_is_there_for_the_next_and_is_not_reclaimed_twice() -> None:
    steps = (pull("one", 5 * GB, 5 * GB), pull("two", 0, 2 * GB))
    found = fitted(*steps, available=5 * GB)
    assert names(found.steps) == ["reclaim", "one", "reclaim-2", "two"]
    assert (taken(found.steps[0]), taken(found.steps[2])) == (["i1"], ["i2"])
    assert found.refusal is None


def test_shared_bytes_come_with_the_last_of_what_holds_them_also_over_two_steps() -> None:
    one, two = (candidate("image", name, 1_000) for name in ("one", "two"))
    spare = findings(one, two, pieces=(shared(2 * GB, one, two),))
    steps = (pull("a", 5 * GB, 4 * GB + 500), pull("b", GB - 500, 500))
    found = fitted(*steps, available=5 * GB, spare=spare)
    assert names(found.steps) == ["reclaim", "a", "b"]
    steps = (pull("a", 5 * GB, 4 * GB + 500), pull("b", GB - 500, 1 * GB))
    second = fitted(*steps, available=5 * GB, spare=spare).steps[2]
    assert isinstance(second.action, Reclaim)
    assert [item.promised_bytes for item in second.action.items] == [2 * GB + 1_000]


def test_the_expected_bytes_after_it_are_raised_by_what_it_gives() -> None:
    found = fitted(pull("one", 5 * GB, 5 * GB), pull("two", 0, 0), available=5 * GB)
    reclaim, one, two = found.steps
    after = available_after(reclaim)
    assert (after.low_bytes, after.high_bytes, after.grade) == (6 * GB, 6 * GB, Grade.DECLARED)
    assert reclaim.kept == freed(1 * GB)
    assert [available_after(each).likely_bytes for each in (one, two)] == [1 * GB, 1 * GB]
    assert [available_lowest(each).likely_bytes for each in (one, two)] == [1 * GB, 1 * GB]


def test_it_goes_on_until_all_that_later_steps_count_on_is_there() -> None:
    found = fitted(pull("one", 5 * GB, 6 * GB + 3), available=5 * GB)
    action = found.steps[0].action
    assert isinstance(action, Reclaim)
    assert action.until_bytes == 8 * GB
    assert [(item.kind, item.names, item.promised_bytes) for item in action.items] == [("image", ("i3:1",), 3 * GB)]
    assert [item.candidate_id for item in action.items] == [SPARE[2].candidate_id]


def test_promises_of_one_step_add_up_to_what_comes_free_with_all_of_it() -> None:
    one, two = (candidate("image", name, 1_000) for name in ("one", "two"))
    spare = findings(one, two, pieces=(shared(2 * GB, one, two),))
    reclaim = fitted(pull("a", 5 * GB, 5 * GB), available=5 * GB, spare=spare).steps[0].action
    assert isinstance(reclaim, Reclaim)
    assert [item.promised_bytes for item in reclaim.items] == [1_000, 2 * GB + 1_000]


def test_a_step_that_only_gives_back_may_run_below_the_line() -> None:
    clean = expected("clean", CleanCache(), kept=-1 * GB, after=exactly(6 * GB // 5), lowest=exactly(GB // 5))
    clean = replace(clean, kept=freed(1 * GB), transient=NOTHING)
    found = fitted(pull("one", 5 * GB, 4 * GB), clean, available=5 * GB)
    assert names(found.steps) == ["one", "clean"]


def test_a_step_that_gives_back_at_its_end_but_needs_more_on_top_is_reclaimed_for() -> None:
    squeeze = replace(
        pull("squeeze", 2 * GB, 0), kept=freed(1 * GB), transient=exactly(2 * GB), available_lowest=exactly(0)
    )
    assert names(fitted(squeeze, available=2 * GB).steps) == ["reclaim", "squeeze"]


def test_reclaiming_is_numbered_for_each_service_and_names_a_few_of_many_things() -> None:
    many = tuple(candidate("image", f"many-{number}", GB // 4) for number in range(8))
    steps = (pull("one", 5 * GB, 5 * GB), replace(pull("two", 0, 1 * GB), name="db.two", service="db"))
    found = fitted(*steps, available=5 * GB, spare=findings(*many))
    assert [each.name for each in found.steps] == ["web.reclaim", "web.one", "db.reclaim", "db.two"]
    assert found.steps[0].changes == ("removes the image many-0, the image many-1, the image many-2 and 1 more")
    assert "too little" not in found.steps[0].cause


def test_where_it_is_too_little_if_the_forecast_errs_that_is_told() -> None:
    doubtful = replace(pull("one", 5 * GB, 5 * GB), available_lowest=Estimate(-9 * GB, 0, 0, Grade.DECLARED))
    [reclaim, _] = fitted(doubtful, available=5 * GB).steps
    assert taken(reclaim) == ["i1", "i2", "i3"]
    assert reclaim.cause.endswith("; it is too little where the forecast errs on the wrong side")


def test_what_nobody_knows_is_not_reclaimed_for() -> None:
    steps = (pull("one", 5 * GB, 3 * GB), unknown(pull("two", 2 * GB, 0)), unknown(pull("three", 0, 0)))
    found = fitted(*steps, available=5 * GB)
    assert names(found.steps) == ["one", "two", "three"]
    assert found.refusal is None


def test_below_the_line_already_the_first_step_is_reclaimed_for_whatever_it_needs() -> None:
    found = fitted(unknown(pull("one", 0, 0)), available=LINE - 5)
    assert names(found.steps) == ["reclaim", "one"]
    assert found.refusal is None


# -- when even that is not enough


def test_what_does_not_fit_even_so_is_refused_and_nothing_is_to_be_removed_for_it() -> None:
    steps = (pull("one", 5 * GB, 12 * GB),)
    found = fitted(*steps, available=5 * GB)
    assert found.steps == steps
    assert found.refusal is not None
    assert found.refusal.what == "step web.one cannot fit on /"
    assert found.refusal.why.endswith("That is with the 6.00 GB that may be reclaimed on this engine.")


def test_with_nothing_to_reclaim_it_is_refused_as_it_was() -> None:
    steps = (pull("one", 5 * GB, 6 * GB),)
    found = fitted(*steps, available=5 * GB, spare=Findings())
    assert found.steps == steps
    assert found.refusal is not None
    assert "reclaimed" not in found.refusal.why


# -- whether anybody has to look what others need


def looked_for(*steps: Step, available: int = 9 * GB) -> bool:
    return needs_reclaim(planned(*steps, available_bytes=available, reserve_bytes=LINE))


def test_what_others_need_matters_only_where_some_step_may_cross_the_line() -> None:
    first, second = pull("one", 9 * GB, 4 * GB), pull("two", 5 * GB, 4 * GB)
    assert not looked_for(first, second)
    assert looked_for(first, pull("two", 5 * GB, 4 * GB + 1))
    assert looked_for(first, pull("two", 5 * GB, 1 * GB, transient=3 * GB + 1))
    assert not looked_for(first, unknown(second))
    assert not looked_for()


def test_below_the_line_already_it_matters_whatever_the_first_step_needs() -> None:
    assert looked_for(unknown(pull("one", 0, 0)), available=LINE - 1)
    assert not looked_for(unknown(pull("one", 0, 0)), available=LINE)


def test_a_plan_is_given_its_reclaiming_with_all_that_might_go_for_it() -> None:
    steps = (pull("other", 7 * GB, 6 * GB + 5_000),)
    seen = replace(inventory(images=(UNUSED,)), needs=Roots(now_s=1_000_003.0))
    made = planned(*steps, available_bytes=7 * GB, reserve_bytes=LINE)
    found = with_reclaim_steps(made, STACK, seen)
    assert names(found.steps) == ["reclaim", "other"]
    assert [each.key for each in found.removable] == [UNUSED.image_id]
    assert with_reclaim_steps(made, STACK, replace(seen, needs=None)).steps == steps


# -- what may go for a plan


UNUSED = replace(image(9, "unused:1", unique_bytes=5_003), digests=("unused@sha256:09",))
WEB = service()
STACK = stack(WEB, service("db", build=None, image="postgres:16"))
SOME = (step("one", Pull(reference="other:1")),)


def pulled(number: int, reference: str) -> Image:
    return replace(image(number, reference), digests=(f"{reference.partition(':')[0]}@sha256:{number:02}",))


def spared(*steps: Step, **changes: object) -> set[str]:
    """Return the names of images that may go."""
    seen = replace(inventory(), **({"images": (UNUSED,), "needs": Roots(now_s=1_000_003.0)} | changes))
    return {each.name for each in spare_things(seen, STACK, steps or SOME).candidates}


def test_what_nobody_needs_may_go() -> None:
    assert spared() == {"unused:1"}


def test_what_others_need_stays() -> None:
    needs = Roots(images=(Root("unused:1", "the stack theirs names it"),), now_s=1_000_003.0)
    assert spared(needs=needs) == set()


def test_nothing_may_go_where_nobody_looked_what_others_need_or_nothing_is_planned() -> None:
    assert spared(needs=None) == set()
    looked = replace(inventory(images=(UNUSED,)), needs=Roots(now_s=1_000_003.0))
    assert spare_things(looked, STACK, ()) == Findings()


def test_what_nobody_can_get_back_stays_and_what_it_stands_on_where_that_goes_after_it() -> None:
    made_here = image(8, "made-here:1")
    below = replace(pulled(7, "below:1"), layers=made_here.layers[:1])
    above = replace(made_here, layers=(*made_here.layers, *UNUSED.layers))
    ended: dict[str, Any] = {"state": "exited", "project": "", "service": "", "ended_s": 1.0}
    wrote = container(WEB, UNUSED, container_id="wrote", name="wrote", writable_bytes=5, **ended)
    clean = container(WEB, UNUSED, container_id="clean", name="clean", writable_bytes=0, **ended)
    runs = pulled(4, "runs:1")
    serving = container(WEB, runs, container_id="serving", name="serving", log_bytes=GB)
    nameless = image(6)
    assert spared(images=(above, below, runs, nameless), containers=(wrote, clean, serving)) == {
        "clean",
        shown(nameless),
    }
    of_a_stack = replace(image(5, "shop-old:1", inputs="i5", of="old"), labels={"tonnage.stack": "theirs"})
    assert spared(images=(of_a_stack,)) == {"shop-old:1"}


def test_every_image_that_a_step_names_stays_that_of_undo_steps_too() -> None:
    named = {number: pulled(number, f"named-{number}:1") for number in range(1, 9)}
    undo = step("undo", Tag(image="named-1:1", reference="named-2:1"))
    give_back = step("give-back", RemoveImage(image=named[3].image_id))
    steps = (
        step("build", Build(spec=BuildSpec(context="/w"), reference="named-4:1"), undo=[undo], at_reserve=(give_back,)),
        step("switch", switch({}, "named-5:1", "named-6:1")),
        step("pull", Pull(reference="named-7:1")),
        step("start", start_first({}, "named-8:1")),
    )
    assert spared(*steps, images=(*named.values(), UNUSED)) == {"named-8:1", "unused:1"}


def test_the_images_of_the_stack_its_bases_and_all_that_say_they_are_of_it_stay() -> None:
    images = (
        image(1, "postgres:16"),
        image(2, "shop-web:latest"),
        image(3, "python:3.12"),
        image(4, "localhost/tonnage/shop/web:v1-0123456789ab", inputs="i4"),
        image(5, inputs="i5"),
        replace(image(6, "theirs:1", inputs="i6"), labels={"tonnage.stack": "theirs", "tonnage.service": "web"}),
    )
    inputs = (Inputs(service="web", digest="i1", base_reference="python:3.12"),)
    assert spared(images=images, inputs=inputs) == {"theirs:1"}
