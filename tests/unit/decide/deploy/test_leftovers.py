"""What earlier runs left is recognised, and only what is provably this service's own goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.unit.builders import context, names
from tests.unit.decide.observed import container, image, inventory, service, stack, version

from tonnage.decide.deploy.changes import change_of, config_digest
from tonnage.decide.deploy.leftovers import leftover_steps, superseded_steps, surplus_steps
from tonnage.decide.deploy.switching import switch_steps
from tonnage.model.deploy.image_names import version_name
from tonnage.model.deploy.plan import RemoveContainer, RemoveImage, Switch, Untag
from tonnage.model.deploy.policy import Policy
from tonnage.model.inventory import Inputs

if TYPE_CHECKING:
    from tonnage.decide.deploy.service_context import ServiceContext
    from tonnage.model.deploy.plan import Step
    from tonnage.model.inventory import Container, Image

WEB = service()
STACK = stack(WEB, service("db"))
OWN, CANDIDATE = "shop-web:latest", "localhost/tonnage/shop/web:candidate"
UNPROVEN = "localhost/tonnage/shop/web:unproven"


def name(number: int, *, withdrawn: bool = False, config: str = "", record: bool = False) -> str:
    """Return a name of a version of ``web``, as it is configured now."""
    found = version_name(number, config or config_digest(WEB))
    return replace(found, withdrawn=withdrawn, is_record=record).reference("shop", "web")


INPUTS = (Inputs(service="web", digest="i9"),)
RUNS = image(1, OWN, inputs="i1")
MINE = container(WEB, RUNS)
KEEP_NOTHING = Policy(keep_free_bytes=0, keep_versions=0)
KEPT, WITHDRAWN = name(1), name(2, withdrawn=True)


def case(*images: Image, others: tuple[Container, ...] = (), policy: Policy | None = None) -> ServiceContext:
    """Return ``web``, which runs and whose sources changed, with further images and containers."""
    seen = inventory(images=(RUNS, *images), containers=(MINE, *others), inputs=INPUTS)
    return context(STACK, WEB, seen, versions=(version(STACK, WEB, RUNS, "i1"),), policy=policy)


def foreign(runs: Image, state: str = "running") -> Container:
    """Return a container that is not this service's own."""
    return container(service("db"), runs, container_id="c-else", name="else-1", state=state)


def test_where_nothing_was_left_there_is_nothing_to_do() -> None:
    assert leftover_steps(case()) == []


def test_a_container_that_was_left_beside_the_running_one_goes_by_its_id_and_no_other() -> None:
    left = container(WEB, RUNS, container_id="c-left", name="shop-web-candidate", one_off=True)
    other = container(WEB, RUNS, container_id="c-job", name="shop-web-run-1", one_off=True)
    [only] = leftover_steps(case(others=(other, left)))
    assert only.name == "web.remove-leftover"
    assert only.action == RemoveContainer(container="c-left")


@pytest.mark.parametrize(
    ("named", "step"),
    [(CANDIDATE, "remove-candidate"), (WITHDRAWN, "remove-withdrawn-2"), (UNPROVEN, "remove-unproven")],
)
def test_an_image_that_only_an_earlier_run_names_goes_with_that_name(named: str, step: str) -> None:
    left = image(2, named, inputs="i2")
    [only] = leftover_steps(case(left))
    assert only.name == f"web.{step}"
    assert only.action == RemoveImage(image=left.image_id, references=(named,), with_cache=True)


def test_an_image_that_has_another_name_as_well_only_loses_ours() -> None:
    [only] = leftover_steps(case(image(2, WITHDRAWN, "theirs:1", inputs="i2")))
    assert only.name == "web.untag-withdrawn-2"
    assert only.action == Untag(reference=WITHDRAWN)


@pytest.mark.parametrize("named", [CANDIDATE, WITHDRAWN])
def test_an_image_that_is_what_a_build_would_make_stays_to_be_used(named: str) -> None:
    assert leftover_steps(case(image(2, named, inputs="i9"))) == []


@pytest.mark.parametrize("inputs", ["i9", "i2"], ids=["is switched to", "is rebuilt"])
def test_the_name_of_a_candidate_stays_when_this_run_needs_it(inputs: str) -> None:
    assert leftover_steps(case(image(2, CANDIDATE, "theirs:1", inputs=inputs))) == []


def test_the_name_of_a_candidate_goes_once_it_has_the_services_own() -> None:
    switched = replace(RUNS, references=(OWN, CANDIDATE), labels={**RUNS.labels, "tonnage.inputs": "i9"})
    seen = inventory(images=(switched,), containers=(MINE,), inputs=INPUTS)
    known = (version(STACK, WEB, switched, "i9"),)
    assert names(leftover_steps(context(STACK, WEB, seen, versions=known))) == ["untag-candidate"]
    # Until it is proven the name says that it is not.
    assert leftover_steps(context(STACK, WEB, seen)) == []


def test_a_candidate_that_the_container_left_beside_was_made_from_goes_after_that_container() -> None:
    left = image(2, CANDIDATE, inputs="i2")
    beside = container(WEB, left, container_id="c-left", name="shop-web-candidate", one_off=True)
    steps = leftover_steps(case(left, others=(beside,)))
    assert names(steps) == ["remove-leftover", "remove-candidate"]


@pytest.mark.parametrize("state", ["running", "exited"])
def test_a_candidate_that_another_container_was_made_from_stays(state: str) -> None:
    left = image(2, CANDIDATE, inputs="i2")
    beside = container(WEB, left, container_id="c-left", name="shop-web-candidate", one_off=True)
    assert names(leftover_steps(case(left, others=(beside, foreign(left, state=state))))) == ["remove-leftover"]


# -- images that lost their last name


def test_an_image_of_the_service_that_lost_its_last_name_goes_once_another_one_is_kept() -> None:
    one, two = image(2, inputs="i2"), image(3, inputs="i3")
    kept = image(4, KEPT, inputs="i4")
    steps = leftover_steps(case(one, two, kept))
    assert names(steps) == ["remove-nameless-1", "remove-nameless-2"]
    assert [step.action for step in steps] == [
        RemoveImage(image=each.image_id, references=(), with_cache=True) for each in (one, two)
    ]


def test_it_stays_while_none_is_kept_because_it_may_be_the_only_one_to_go_back_to() -> None:
    assert leftover_steps(case(image(2, inputs="i2"))) == []


@pytest.mark.parametrize(
    "other",
    [
        image(2),
        image(2, inputs="i2", of="db"),
        replace(image(2, inputs="i2"), labels={"tonnage.stack": "theirs", "tonnage.service": "web"}),
        replace(image(2, inputs="i2"), digests=("web@sha256:77",)),
        image(2, "theirs:1", inputs="i2"),
    ],
    ids=["nobody's", "another service's", "another stack's", "pulled by its digest", "named"],
)
def test_a_nameless_image_that_is_not_provably_the_services_own_stays(other: Image) -> None:
    assert leftover_steps(case(other, image(4, KEPT, inputs="i4"))) == []


@pytest.mark.parametrize("state", ["running", "exited"])
def test_a_nameless_image_that_a_container_was_made_from_stays(state: str) -> None:
    used = image(2, inputs="i2")
    assert leftover_steps(case(used, image(4, KEPT, inputs="i4"), others=(foreign(used, state=state),))) == []


# -- what the switch superseded


def removed(steps: list[Step]) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Return what removals remove: the image, the names of it that go, and the records."""
    actions = [each.action for each in steps]
    assert all(isinstance(action, RemoveImage) for action in actions)
    return [(a.image, a.references, a.records) for a in actions if isinstance(a, RemoveImage)]


def of_versions(*numbers: int, runs: int, policy: Policy | None = None, versions: int = 1) -> ServiceContext:
    """Return ``web`` with these versions, of which one runs and each has an image."""
    policy = policy or Policy(keep_free_bytes=0, keep_versions=versions)
    images = [image(number, name(number), inputs=f"i{number}") for number in numbers]
    records = [image(100 + number, name(number, record=True)) for number in numbers]
    mine = next(each for each in images if each.image_id.endswith(f"{runs:064x}"[-8:]))
    mine_named = replace(mine, references=(OWN, *mine.references))
    seen = inventory(
        images=(*(mine_named if each is mine else each for each in images), *records),
        containers=(container(WEB, mine),),
        inputs=INPUTS,
    )
    return context(STACK, WEB, seen, policy=policy)


def test_as_many_versions_stay_as_are_to_be_kept_and_the_oldest_go_with_what_tells_of_them() -> None:
    one, two = image(1).image_id, image(2).image_id
    assert removed(superseded_steps(of_versions(1, 2, runs=2))) == [(one, (name(1),), (name(1, record=True),))]
    assert superseded_steps(of_versions(1, 2, runs=2, versions=2)) == []
    assert [each[0] for each in removed(superseded_steps(of_versions(1, 2, 3, runs=3)))] == [one, two]
    assert superseded_steps(of_versions(1, runs=1)) == []


def test_where_none_is_kept_what_ran_goes_too() -> None:
    assert removed(superseded_steps(of_versions(1, runs=1, policy=KEEP_NOTHING))) == [
        (image(1).image_id, (name(1),), (name(1, record=True),))
    ]
    # It got its name in the same plan.
    assert removed(superseded_steps(case(policy=KEEP_NOTHING))) == [(RUNS.image_id, (name(1),), ())]


def test_a_change_of_the_configuration_alone_does_not_cost_the_image_that_was_there_before() -> None:
    older, runs = image(1, name(1), inputs="i1"), image(2, OWN, name(2, config="a" * 64), name(3), inputs="i2")
    seen = inventory(images=(older, runs), containers=(container(WEB, runs),), inputs=INPUTS)
    policy = Policy(keep_free_bytes=0, keep_versions=2)
    assert superseded_steps(context(STACK, WEB, seen, policy=policy)) == []
    # One version is kept, and one image: they are the same.
    [only] = superseded_steps(context(STACK, WEB, seen))[:1]
    assert removed([only]) == [(older.image_id, (name(1),), ())]


def test_what_came_back_has_its_new_number_alone() -> None:
    back = image(2, name(2, withdrawn=True), inputs="i9")
    record = image(102, name(2, withdrawn=True, record=True))
    steps = superseded_steps(case(back, record))
    assert removed(steps) == [(back.image_id, (name(2, withdrawn=True),), (name(2, withdrawn=True, record=True),))]
    assert steps[0].changes.startswith("untags")


def test_what_tells_of_a_version_that_was_rolled_away_from_stays_as_long_as_older_ones_are_kept() -> None:
    runs = image(3, OWN, name(3), inputs="i3")
    kept, told = image(1, name(1), inputs="i1"), image(102, name(2, withdrawn=True, record=True))
    seen = inventory(images=(runs, kept, told), containers=(container(WEB, runs),), inputs=INPUTS)
    both = context(STACK, WEB, seen, policy=Policy(keep_free_bytes=0, keep_versions=2))
    assert superseded_steps(both) == []
    record = name(2, withdrawn=True, record=True)
    assert removed(superseded_steps(context(STACK, WEB, seen)))[1:] == [(record, (record,), ())]


def test_an_image_that_somebody_named_or_uses_only_loses_our_names() -> None:
    runs, old = image(2, OWN, name(2), inputs="i2"), image(1, name(1), inputs="i1")
    for images, others in (
        ((runs, replace(old, references=(name(1), "theirs:1"))), ()),
        ((runs, old), (foreign(old, state="exited"),)),
    ):
        seen = inventory(images=images, containers=(container(WEB, runs), *others), inputs=INPUTS)
        [only] = superseded_steps(context(STACK, WEB, seen))
        assert only.changes == f"untags {name(1)}"


def test_a_version_that_ran_but_was_never_proven_goes_and_the_good_one_before_it_stays() -> None:
    good = image(4, KEPT, inputs="i4")
    marked = replace(RUNS, references=(OWN, CANDIDATE))
    seen = inventory(images=(marked, good), containers=(MINE,), inputs=INPUTS)
    [only] = superseded_steps(context(STACK, WEB, seen))
    assert only.name == "web.remove-unproven"
    assert only.action == RemoveImage(image=RUNS.image_id, references=(UNPROVEN,), with_cache=True)


def test_an_image_that_runs_on_is_not_superseded() -> None:
    same = replace(RUNS, references=(OWN, name(1)), labels={**RUNS.labels, "tonnage.inputs": "i9"})
    seen = inventory(images=(same,), containers=(container(WEB, same),), inputs=INPUTS)
    [only] = superseded_steps(context(STACK, WEB, seen, policy=KEEP_NOTHING))
    assert only.changes == f"untags {name(1)}"


def test_an_image_that_was_pulled_goes_once_only_names_of_ours_hold_it() -> None:
    db = service("db", build=None, image="postgres:16")
    digest = "b" * 64
    one, two = (version_name(number, digest).reference("shop", "db") for number in (1, 2))
    runs = image(2, "postgres:16", two)
    for old, told in ((image(1, one), "removes the image"), (image(1, one, "postgres:15"), "untags")):
        seen = inventory(images=(old, runs), containers=(container(db, runs, config=digest),))
        [only] = superseded_steps(context(stack(db), db, seen))
        assert only.changes.startswith(told)


def test_an_image_that_a_pull_left_without_a_name_stays_where_it_never_was_a_version() -> None:
    db = service("db", build=None, image="postgres:16")
    old, runs = image(2), image(3, "postgres:16")
    seen = inventory(images=(old, runs), containers=(container(db, runs, config=""),))
    assert superseded_steps(context(stack(db), db, seen)) == []


def test_a_first_version_supersedes_nothing() -> None:
    assert superseded_steps(context(STACK, WEB, inventory(inputs=INPUTS), policy=KEEP_NOTHING)) == []


OLD_ID = "ab" * 32
HALF = f"{OLD_ID[:12]}_shop-web-1"


def half(state: str = "exited", **changes: object) -> Container:
    """Return a container with the name that Compose 1 gives to the one that it replaces."""
    return container(WEB, RUNS, **{"container_id": OLD_ID, "name": HALF, "state": state, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "left",
    [
        half(),
        half(container_id="cd" * 32, state="created", labels={"com.docker.compose.replace": "web-1"}),
        half(container_id="cd" * 32, state="created", labels={"com.docker.compose.replace": OLD_ID}),
    ],
    ids=["Compose 1", "Compose 2", "Compose 2 at first"],
)
def test_what_compose_left_when_it_was_killed_in_a_replacement_goes_first_and_counts_for_nothing(
    left: Container,
) -> None:
    seen = case(others=(left,))
    [step] = leftover_steps(seen)
    assert step.action == RemoveContainer(container=left.container_id)
    assert step.changes == f"removes the container {HALF}, which is {left.state}"
    assert seen.change.running == (MINE,)


@pytest.mark.parametrize(
    "other",
    [
        half(container_id="cd" * 32),
        half(container_id="cd" * 32, labels={"com.docker.compose.replace": HALF}),
        half(name="abc_shop-web-1"),
        half(name=f"{OLD_ID[:12]}_"),
    ],
    ids=["another's id", "a name that was chosen", "no id", "no name"],
)
def test_a_container_that_is_only_called_a_bit_like_that_stays(other: Container) -> None:
    assert leftover_steps(case(others=(other,))) == []


def test_the_only_container_stays_until_compose_takes_its_volumes_along_and_gives_the_name_back() -> None:
    seen = inventory(images=(RUNS,), containers=(half(),))
    cut = context(STACK, WEB, seen, versions=(version(STACK, WEB, RUNS, "i1"),))
    assert leftover_steps(cut) == []
    [switch] = [step.action for step in switch_steps(cut) if isinstance(step.action, Switch)]
    assert switch.recreate
    # What ran until the run was killed runs again when the new version fails.
    assert any(isinstance(step.action, Switch) for step in switch_steps(cut)[0].on_failure)


def test_a_container_that_came_up_again_under_that_name_is_replaced_although_nothing_changed() -> None:
    web = service(build=None)
    runs = image(1, web.image)
    seen = inventory(images=(runs,), containers=(half("running", image_id=runs.image_id),))
    assert change_of(stack(web), web, seen).switch == "Compose was ended while it replaced its container"


def test_versions_beyond_those_that_are_kept_go_also_when_nothing_changes() -> None:
    images = (image(4, name(4)), image(5, name(5)), replace(RUNS, references=(OWN, name(6))))
    seen = context(STACK, WEB, inventory(images=images, containers=(MINE,)))
    assert [step.name for step in surplus_steps(seen)] == ["web.forget-v4"]
    unproven = context(STACK, WEB, inventory(images=(*images[:2], RUNS), containers=(MINE,)))
    assert surplus_steps(unproven) == []


def test_a_version_that_has_a_new_number_loses_its_earlier_names_and_nothing_else_goes() -> None:
    again = replace(RUNS, references=(OWN, name(2), name(5)))
    record = image(9, name(2, record=True))
    seen = context(STACK, WEB, inventory(images=(again, record), containers=(MINE,)))
    [step] = [each for each in leftover_steps(seen) if "earlier-names" in each.name]
    assert step.action == RemoveImage(image=RUNS.image_id, references=(name(2),), records=(name(2, record=True),))
    once = context(STACK, WEB, inventory(images=(replace(RUNS, references=(OWN, name(5))),), containers=(MINE,)))
    assert leftover_steps(once) == []
