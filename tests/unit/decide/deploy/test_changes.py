"""What has to change for a service, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.unit.decide.observed import container, image, inventory, service, stack, version

from tonnage.decide.deploy.changes import change_of, with_recorded
from tonnage.model.inventory import Image, Inputs, Layer
from tonnage.model.stack import ServiceSettings

if TYPE_CHECKING:
    from tonnage.model.inventory import Container
    from tonnage.model.stack import Service

WEB = service()
NOW = Inputs(service="web", digest="now", base_reference="base:1")


def change_with(
    of: Service, *, images: tuple[Image, ...] = (), containers: tuple[Container, ...] = (), inputs: Inputs | None = NOW
) -> tuple[str, str, str, str]:
    seen = inventory(images=images, containers=containers, inputs=(inputs,) if inputs else ())
    change = change_of(stack(of), of, seen)
    return change.build, change.pull, change.switch, change.source


def test_a_service_that_was_never_here_is_built_and_started() -> None:
    build, _, switch, _ = change_with(WEB)
    assert build == "no image shop-web yet"
    assert switch == "it is not running"


def test_nothing_is_done_when_image_configuration_and_containers_are_right() -> None:
    good = image(1, "shop-web:latest", inputs="now")
    assert change_with(WEB, images=(good,), containers=(container(WEB, good),)) == ("", "", "", good.image_id)


@pytest.mark.parametrize(
    ("made", "cause"),
    [
        (image(1, "shop-web:latest", inputs="before"), "its Dockerfile, context or build arguments changed"),
        (image(1, "shop-web:latest"), "image shop-web was not built by Tonnage, so it is rebuilt once"),
    ],
)
def test_an_image_from_other_inputs_is_built_anew(made: Image, cause: str) -> None:
    build, _, switch, _ = change_with(WEB, images=(made,), containers=(container(WEB, made),))
    assert build == cause
    assert switch == f"its image is rebuilt: {cause}"


def test_an_image_on_another_base_is_built_anew() -> None:
    base = image(9, "base:1")
    made = image(1, "shop-web:latest", inputs="now")
    assert change_with(WEB, images=(base, made))[0] == "its base image changed"


def test_an_image_on_the_base_that_is_here_is_not_built_anew() -> None:
    base = image(9, "base:1")
    own = Layer(chain_id="chain-own", diff_id="diff-own", size_bytes=7)
    made = image(1, "shop-web:latest", inputs="now")
    on_base = Image(
        image_id=made.image_id,
        references=made.references,
        layers=(*base.layers, own),
        size_bytes=11,
        unique_bytes=7,
        shared_bytes=4,
        labels=made.labels,
    )
    assert change_with(WEB, images=(base, on_base), containers=(container(WEB, on_base),))[0] == ""


def test_an_image_that_waits_under_another_name_of_ours_is_taken_instead_of_built() -> None:
    old = image(1, "shop-web:latest", inputs="before")
    left = image(2, "localhost/tonnage/shop/web:candidate", inputs="now")
    build, _, switch, source = change_with(WEB, images=(old, left), containers=(container(WEB, old),))
    assert (build, source) == ("", left.image_id)
    assert switch == "it runs another image than the one it should run"


def test_an_image_of_another_stack_is_not_taken() -> None:
    other = image(1, "shop-web:latest", inputs="now")
    foreign = Image(
        image_id=other.image_id,
        references=other.references,
        layers=other.layers,
        size_bytes=3,
        unique_bytes=3,
        shared_bytes=0,
        labels={**other.labels, "tonnage.stack": "blog"},
    )
    assert change_with(WEB, images=(foreign,))[3] == ""


@pytest.mark.parametrize(
    ("label", "cause"),
    [
        ("", "how it was configured is not known: no version of it is, and Compose cannot tell"),
        ("other", "its configuration changed"),
    ],
)
def test_a_configuration_that_differs_or_is_not_known_is_switched_without_a_build(label: str, cause: str) -> None:
    good = image(1, "shop-web:latest", inputs="now")
    build, _, switch, _ = change_with(WEB, images=(good,), containers=(container(WEB, good, config=label),))
    assert (build, switch) == ("", cause)


def test_a_stopped_service_is_started() -> None:
    good = image(1, "shop-web:latest", inputs="now")
    stopped = container(WEB, good, state="exited", exit_code=0)
    assert change_with(WEB, images=(good,), containers=(stopped,))[2] == "it is stopped"


def test_missing_replicas_are_started() -> None:
    two = service(replicas=2)
    good = image(1, "shop-web:latest", inputs="now")
    assert change_with(two, images=(good,), containers=(container(two, good),))[2] == "1 of 2 containers run"


def test_a_one_shot_service_that_ended_well_is_left_alone_and_one_that_failed_is_run_again() -> None:
    job = service(settings=ServiceSettings(one_shot=True))
    good = image(1, "shop-web:latest", inputs="now")
    ended = container(job, good, state="exited", exit_code=0)
    failed = container(job, good, state="exited", exit_code=3)
    assert change_with(job, images=(good,), containers=(ended,))[2] == ""
    assert change_with(job, images=(good,), containers=(failed,))[2] == "it is stopped"


def test_a_service_that_is_only_an_image_is_pulled_when_it_is_missing_and_never_built() -> None:
    db = service("db", image="postgres:16", build=None)
    assert change_with(db, inputs=None) == ("", "no image postgres:16 on this engine", "its image is pulled first", "")
    here = image(5, "postgres:16")
    assert change_with(db, images=(here,), containers=(container(db, here),), inputs=None) == ("", "", "", "")


def test_a_service_without_replicas_needs_nothing_once_nothing_of_it_is_left() -> None:
    none = service(replicas=0)
    good = image(1, "shop-web:latest", inputs="now")
    assert change_with(none, images=(good,)) == ("", "", "", "")
    assert change_with(none, images=(good,), containers=(container(WEB, good, config="before"),))[2]


HAND_BUILT = replace(image(2, "shop-web:latest"), content_digest="same")


def runs_from(made: Image, inputs: str = "now") -> Container:
    one = container(WEB, made)
    return replace(one, inputs_digest=inputs)


@pytest.mark.parametrize("listed", [True, False])
def test_what_was_built_by_hand_and_is_what_runs_is_taken_for_it(listed: bool) -> None:  # noqa: FBT001
    made = replace(image(1, inputs="now"), content_digest="same")
    running = replace(runs_from(made), content_digest="" if listed else "same")
    images = (made, HAND_BUILT) if listed else (HAND_BUILT,)
    assert change_with(WEB, images=images, containers=(running,)) == ("", "", "", HAND_BUILT.image_id)


@pytest.mark.parametrize(
    ("content", "inputs"),
    [("other", "now"), ("", "now"), ("same", "before")],
    ids=["another result", "what runs is not known", "from other inputs"],
)
def test_what_was_built_by_hand_and_may_be_something_else_is_built_by_the_plan(content: str, inputs: str) -> None:
    made = image(1, inputs="now")
    running = replace(runs_from(made, inputs), content_digest=content)
    build, _, switch, _ = change_with(WEB, images=(HAND_BUILT,), containers=(running,))
    assert build == "image shop-web was not built by Tonnage, so it is rebuilt once"
    assert switch


def test_what_was_built_by_hand_on_a_base_that_changed_is_built_by_the_plan() -> None:
    running = replace(runs_from(image(1)), content_digest="same")
    assert change_with(WEB, images=(HAND_BUILT, image(9, "base:1")), containers=(running,))[0]


@pytest.mark.parametrize("known_by", ["manifest", "content"])
def test_an_image_that_was_pulled_again_in_another_index_is_the_one_that_runs(known_by: str) -> None:
    pulled = service(build=None)
    old, new = image(1), image(2, "shop-web:latest")
    running = container(pulled, old)
    if known_by == "manifest":
        new, running = replace(new, manifest_digests=("m", "n")), replace(running, manifest_digest="m")
        images: tuple[Image, ...] = (new,)
    else:
        images = (replace(old, content_digest="same"), replace(new, content_digest="same"))
    assert change_with(pulled, images=images, containers=(running,), inputs=None) == ("", "", "", "")
    apart = tuple(replace(each, content_digest=each.image_id, manifest_digests=()) for each in images)
    switch = change_with(pulled, images=apart, containers=(running,), inputs=None)[2]
    assert switch == "it runs another image than the one it should run"


def test_the_journal_tells_what_an_image_was_that_the_engine_has_no_more() -> None:
    made, other = image(1, inputs="now"), image(3, "other:1")
    known = [
        replace(version(stack(WEB), WEB, each), image_id=each.image_id, content_digest="same") for each in (made, other)
    ]
    seen = inventory(images=(HAND_BUILT, other), containers=(container(WEB, made), container(WEB, other)))
    told = with_recorded(stack(WEB), seen, known)
    assert [each.content_digest for each in told.containers] == ["same", ""]
    assert told.image_of(told.containers[0]) == HAND_BUILT
    assert told.image_of(told.containers[1]) == other


def test_a_container_that_was_made_again_by_the_id_of_its_image_is_of_the_version_that_has_it() -> None:
    made = image(1, inputs="now")
    known = replace(version(stack(WEB), WEB, made), image_id=made.image_id, config_digest="c1")
    by_id = replace(container(WEB, made, config=""), image_reference=made.image_id)
    seen = inventory(images=(made,), containers=(by_id,))
    assert with_recorded(stack(WEB), seen, [known]).containers[0].config_digest == "c1"
    # Which of two it is that differ by their configuration, nobody can tell.
    other = replace(known, config_digest="c2")
    assert with_recorded(stack(WEB), seen, [known, other]).containers[0].config_digest == ""
    by_name = replace(by_id, image_reference="web:1")
    assert with_recorded(stack(WEB), inventory(images=(made,), containers=(by_name,)), [known]).containers == (by_name,)
