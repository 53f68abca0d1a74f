"""Each action does with the engine what it says, and nothing to what is somebody else's by then."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from tests.simulator import Behaviour, Heard, Instruction, Recipe
from tests.simulator.deploying import DIRECTORY, PROJECT
from tests.unit.builders import candidate, harbour, plan, removes, start_first, step, switch

from tonnage.errors import NotHealthyError, StepFailedError
from tonnage.model.deploy.plan import (
    Build,
    CleanCache,
    Keep,
    Prove,
    Pull,
    Push,
    RemoveContainer,
    RemoveImage,
    RemoveService,
    Restart,
    SendFiles,
    Switch,
    Tag,
    Untag,
    Version,
)
from tonnage.runtime.deploy.perform import perform

if TYPE_CHECKING:
    from pathlib import Path

    from tests.simulator.deploying import Harbour

    from tonnage.model.deploy.plan import Action
    from tonnage.model.stack import ComposeMapping


def web(image: str = "shop-web:latest") -> ComposeMapping:
    """Return a project whose one service runs an image."""
    return {"name": PROJECT, "services": {"web": {"image": image}}}


@pytest.fixture
def place(tmp_path: Path) -> Harbour:
    """Yield an engine with nothing on it but a base."""
    return harbour(tmp_path)


def do(
    place: Harbour,
    action: Action,
    *,
    cache_before: frozenset[str] = frozenset(),
    cancelled: bool = False,
    version: Version | None = None,
) -> Heard:
    """Perform an action of the service ``web`` and return what it said."""
    heard, cancel = Heard(), threading.Event()
    if cancelled:
        cancel.set()
    perform(
        step("it", action, version=version),
        plan(place),
        facts=place.engine.facts,
        acts=place.engine.acts,
        progress=heard,
        cancel=cancel,
        clock=place.engine.clock,
        cache_before=cache_before,
    )
    return heard


def built(place: Harbour, reference: str, *instructions: Instruction) -> str:
    """Build an image and return its id."""
    spec = place.engine.describe(f"{DIRECTORY}/{reference}", Recipe(instructions=instructions))
    do(place, Build(spec=spec, reference=reference))
    found = place.engine.store.find(reference)
    assert found is not None
    return found.image_id


def sizes(place: Harbour) -> list[int]:
    """Return the bytes of the records in the build cache."""
    return sorted(record.size_bytes for record in place.engine.facts.cache() if record.size_bytes)


def made(text: str, kept_bytes: int) -> Instruction:
    return Instruction(text=text, kept_bytes=kept_bytes)


def test_a_build_carries_its_labels_and_says_where_it_is(place: Harbour) -> None:
    spec = place.engine.describe(f"{DIRECTORY}/web", Recipe(instructions=(made("RUN one", 1_009),)))
    heard = do(place, Build(spec=spec, reference="web:1", labels=(("tonnage.stack", "shop"),)))
    assert place.engine.facts.images()[-1].labels == {"tonnage.stack": "shop"}
    assert heard.places == ["[1/1] RUN one"]


def test_a_build_and_a_pull_are_ended_by_a_cancel(place: Harbour) -> None:
    place.engine.add_to_registry("db:16", (("db", 1_013),))
    spec = place.engine.describe(f"{DIRECTORY}/web", Recipe(instructions=(made("RUN one", 1_009),)))
    for action in (Build(spec=spec, reference="web:1"), Pull(reference="db:16")):
        with pytest.raises(StepFailedError, match="stopped"):
            do(place, action, cancelled=True)
    assert len(place.engine.facts.images()) == 1


def test_pull_push_send_tag_and_untag_do_that_one_thing(place: Harbour) -> None:
    place.engine.add_to_registry("db:16", (("db", 1_013),))
    do(place, Pull(reference="db:16"))
    do(place, Push(reference="db:16"))
    do(place, SendFiles(place="/there", paths=("a", "b")))
    do(place, Tag(image="db:16", reference="db:kept"))
    do(place, Untag(reference="db:16"))
    assert place.engine.pushed == ["db:16"]
    assert place.engine.sent == ["/there/a", "/there/b"]
    assert set(place.engine.store.names) == {"busybox:latest", "db:kept"}


def test_a_switch_moves_the_name_before_compose_brings_the_service_to_it(place: Harbour) -> None:
    old = place.engine.add_image("shop-web", (("old", 1_009),))
    new = place.engine.add_image("candidate:1", (("new", 1_013),))
    do(place, switch(web()))
    assert [each.image_id for each in place.engine.facts.containers(PROJECT)] == [old.image_id]
    do(place, switch(web(), "candidate:1", "shop-web"))
    assert [each.image_id for each in place.engine.facts.containers(PROJECT)] == [new.image_id]
    assert place.engine.log[-2:] == ["tag candidate:1 shop-web", "up shop web"]


def test_a_switch_that_names_no_image_moves_no_name(place: Harbour) -> None:
    place.engine.add_image("shop-web", (("old", 1_009),))
    do(place, switch(web()))
    assert place.engine.log == ["up shop web"]


def test_a_container_is_started_first_beside_the_running_one_and_can_be_proven_alone(place: Harbour) -> None:
    place.engine.add_image("shop-web", (("old", 1_009),))
    place.engine.add_image("candidate:1", (("new", 1_013),), behaviour=Behaviour(exits_after_s=0.4, exit_code=3))
    do(place, switch(web()))
    do(place, start_first(web("candidate:1"), "shop-web-beside"))
    found = place.engine.facts.container("shop-web-beside")
    assert found is not None
    assert (found.one_off, found.service, found.project) == (True, "web", PROJECT)
    do(place, Prove())
    with pytest.raises(NotHealthyError):
        do(place, Prove(container_name="shop-web-beside"))


def test_a_proof_is_ended_by_a_cancel(place: Harbour) -> None:
    place.engine.add_image("shop-web", (("old", 1_009),))
    do(place, switch(web()))
    with pytest.raises(StepFailedError, match="stopped"):
        do(place, Prove(), cancelled=True)


def test_of_a_service_only_its_own_containers_are_removed(place: Harbour) -> None:
    engine = place.engine
    for name, project, service in (
        ("shop-web-1", PROJECT, "web"),
        ("shop-web-2", PROJECT, "web"),
        ("shop-db-1", PROJECT, "db"),
        ("theirs-web-1", "theirs", "web"),
    ):
        engine.add_container(name, "busybox:latest", project=project, service=service)
    engine.add_container("shop-web-run", "busybox:latest", project=PROJECT, service="web").one_off = True
    do(place, RemoveService(project=PROJECT))
    assert {each.name for each in engine.living()} == {"shop-db-1", "theirs-web-1", "shop-web-run"}


def test_one_container_is_removed_also_when_it_runs_and_none_when_it_is_gone(place: Harbour) -> None:
    place.engine.add_container("one", "busybox:latest")
    place.engine.add_container("two", "busybox:latest")
    do(place, RemoveContainer(container="one"))
    do(place, RemoveContainer(container="one"))
    assert [each.name for each in place.engine.living()] == ["two"]


# -- images


def test_an_image_goes_with_the_names_that_are_said_however_they_are_written(place: Harbour) -> None:
    image = place.engine.add_image("shop-web", (("old", 1_009),))
    do(place, RemoveImage(image=image.image_id, references=("shop-web",)))
    assert image.image_id not in place.engine.store.images
    assert "shop-web:latest" not in place.engine.store.names


def test_an_image_without_names_goes_by_its_id(place: Harbour) -> None:
    image = place.engine.add_image("", (("old", 1_009),))
    do(place, RemoveImage(image=image.image_id))
    do(place, RemoveImage(image=image.image_id))
    assert list(place.engine.store.names) == ["busybox:latest"]
    assert len(place.engine.store.images) == 1


def test_an_image_that_somebody_named_meanwhile_loses_only_our_name(place: Harbour) -> None:
    image = place.engine.add_image("shop-web", (("old", 1_009),))
    place.engine.acts.tag("shop-web", "theirs:1")
    do(place, RemoveImage(image=image.image_id, references=("shop-web",), with_cache=True))
    assert place.engine.store.names_of(image.image_id) == ("theirs:1",)


@pytest.mark.parametrize("running", [True, False])
def test_an_image_that_a_container_uses_stays_with_its_name_and_the_container_is_told(
    place: Harbour,
    running: bool,  # noqa: FBT001
) -> None:
    image = place.engine.add_image("shop-web", (("old", 1_009),))
    place.engine.add_container("theirs-1", "shop-web", running=running)
    with pytest.raises(StepFailedError, match="the container theirs-1 uses it") as failure:
        do(place, RemoveImage(image=image.image_id, references=("shop-web",)))
    assert failure.value.todo.endswith("docker rm theirs-1")
    assert place.engine.store.names_of(image.image_id) == ("shop-web:latest",)


def test_a_name_that_is_another_images_by_now_stays(place: Harbour) -> None:
    old = place.engine.add_image("", (("old", 1_009),))
    new = place.engine.add_image("shop-web", (("new", 1_013),))
    do(place, RemoveImage(image=old.image_id, references=("shop-web",)))
    assert place.engine.store.names_of(new.image_id) == ("shop-web:latest",)
    assert old.image_id not in place.engine.store.images


def test_with_an_image_goes_the_cache_behind_it_and_not_that_of_others(place: Harbour) -> None:
    shared = made("RUN shared", 5_003)
    image_id = built(place, "web:1", shared, made("RUN web", 1_009))
    built(place, "db:1", shared, made("RUN db", 1_013))
    free = built(place, "free:1", made("RUN free", 1_019))
    do(place, Untag(reference="free:1"))
    place.engine.acts.remove_image(free)
    do(place, RemoveImage(image=image_id, references=("web:1",), with_cache=True))
    # What stood behind no image before is another step's.
    assert sizes(place) == [1_013, 1_019, 5_003]
    assert place.engine.store.find("db:1") is not None


def test_the_cache_of_an_image_stays_when_it_is_not_asked_for(place: Harbour) -> None:
    image_id = built(place, "web:1", made("RUN web", 1_009))
    do(place, RemoveImage(image=image_id, references=("web:1",)))
    assert sizes(place) == [1_009]


def test_of_the_cache_goes_what_came_since_the_run_began_and_stands_behind_no_image(place: Harbour) -> None:
    before = built(place, "before:1", made("RUN before", 1_009))
    place.engine.acts.remove_image(before, ("before:1",))
    cache_before = frozenset(record.record_id for record in place.engine.facts.cache())
    gone = built(place, "gone:1", made("RUN under", 1_013), made("RUN over", 1_019))
    place.engine.acts.remove_image(gone, ("gone:1",))
    built(place, "kept:1", made("RUN kept", 1_021))
    do(place, CleanCache(), cache_before=cache_before)
    assert sizes(place) == [1_009, 1_021]


def test_a_reclaim_removes_what_stands_in_it(place: Harbour) -> None:
    image = place.engine.add_image("unused:1", (("unused", 1_009),))
    item = candidate("image", image.image_id, 1_009, names=("unused:1",))
    do(place, removes(item, until_bytes=place.engine.disk.available_bytes + 1))
    assert image.image_id not in place.engine.store.images


def ran(place: Harbour) -> list[str]:
    return [each.container_id for each in place.engine.facts.containers(PROJECT)]


def test_containers_are_not_made_anew_or_restarted_while_all_that_are_to_be_spared_run(place: Harbour) -> None:
    built(place, "shop-web:latest", Instruction(text="made", kept_bytes=1_000_003))
    do(place, Switch(project=web()))
    before = ran(place)
    started = [each.started_s for each in place.engine.facts.containers(PROJECT)]
    place.engine.clock.sleep(17.0)
    for action in (
        Switch(project=web(), recreate=True, spares=(*before,)),
        Restart(project=PROJECT, spares=(*before,)),
    ):
        do(place, action)
        assert ran(place) == before
    assert [each.started_s for each in place.engine.facts.containers(PROJECT)] == started
    do(place, Restart(project=PROJECT, spares=(*before, "gone")))
    assert [each.started_s for each in place.engine.facts.containers(PROJECT)] != started
    do(place, Switch(project=web(), recreate=True, spares=(*before, "gone")))
    assert not {*ran(place)} & {*before}


def test_a_version_that_is_proven_again_loses_its_earlier_names_whatever_it_was_built_from(place: Harbour) -> None:
    names = [f"localhost/tonnage/shop/web:v{number}-0123456789ab" for number in (1, 2)]
    other = "localhost/tonnage/shop/web:v1-ba9876543210"
    made = Instruction(text="made", kept_bytes=1_000_003)
    spec = place.engine.describe(f"{DIRECTORY}/web", Recipe(instructions=(made,)))
    for number, name in enumerate(names, start=1):
        do(place, Build(spec=spec, reference="shop-web:latest", labels=(("tonnage.inputs", f"inputs {number}"),)))
        do(place, Switch(project=web()))
        if number == 1:
            do(place, Tag(image="shop-web:latest", reference=other))
        keep = Keep(reference=name, record=f"{name}.record")
        known = Version(
            service="web",
            image_name="shop-web",
            project=web(),
            config_digest="0123456789ab",
            prove=Prove(),
            inputs_digest="",
        )
        do(place, keep, version=known)
    left = {each for found in place.engine.facts.images() for each in found.references}
    assert {names[1], f"{names[1]}.record", other} <= left
    assert not {names[0], f"{names[0]}.record"} & left
