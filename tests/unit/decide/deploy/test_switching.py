"""From the running version to the new one: which steps, in which order, and the way back of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.unit.builders import configured, context, names
from tests.unit.decide.observed import container, image, inventory, service, stack, version

from tonnage.decide.deploy.changes import config_digest
from tonnage.decide.deploy.restore import restore_steps
from tonnage.decide.deploy.switching import good_steps, keep_steps, start_first_steps, switch_steps, unproven_steps
from tonnage.model.compose_labels import CONFIG_HASH
from tonnage.model.deploy.image_names import image_in, version_name
from tonnage.model.deploy.plan import (
    Keep,
    Prove,
    RemoveContainer,
    RemoveImage,
    RemoveService,
    StartFirst,
    Switch,
    Tag,
    Untag,
)
from tonnage.model.deploy.policy import Policy
from tonnage.model.inventory import Inputs
from tonnage.model.stack import Mount, ServiceSettings, SwitchOrder

if TYPE_CHECKING:
    from tonnage.decide.deploy.service_context import ServiceContext
    from tonnage.model.deploy.plan import Version
    from tonnage.model.inventory import Container, Image
    from tonnage.model.stack import Service

OWN, CANDIDATE = "shop-web:latest", "localhost/tonnage/shop/web:candidate"
UNPROVEN = "localhost/tonnage/shop/web:unproven"
WEB = service()
STATEFUL = service(mounts=(Mount(kind="volume", source="data", target="/data"),))
RUNS = image(1, OWN, inputs="i1")
# The name of a candidate stands for what nobody has proven yet.
MARKED = replace(RUNS, references=(OWN, CANDIDATE))


def case(
    *images: Image,
    of: Service = WEB,
    runs: Container | None = None,
    stopped: bool = False,
    digest: str = "i9",
    versions: tuple[Version, ...] | None = None,
    policy: Policy | None = None,
) -> ServiceContext:
    """Return a service whose sources are other ones than those of the image that runs."""
    whole = stack(of, service("db"))
    seen = inventory(
        images=images or (RUNS,),
        containers=() if stopped else (runs or container(of, RUNS),),
        inputs=(Inputs(service=of.name, digest=digest),),
    )
    known = (version(whole, of, RUNS, "i1"),) if versions is None else versions
    return context(whole, of, seen, versions=known, policy=policy)


# -- start first


def test_a_new_version_is_proven_beside_the_running_one_and_taken_away_again_before_the_switch() -> None:
    steps = start_first_steps(case())
    assert names(steps) == ["start-first", "prove-candidate", "stop-candidate"]
    start, prove, remove = (step.action for step in steps)
    assert isinstance(start, StartFirst)
    assert start.container_name == "shop-web-candidate"
    # It runs the candidate: the service's own name is still the running version's.
    assert configured(start, "web")["image"] == CANDIDATE
    assert isinstance(prove, Prove)
    assert prove.container_name == "shop-web-candidate"
    assert remove == RemoveContainer(container="shop-web-candidate")
    assert [step.version for step in steps] == [None] * 3


def test_what_fails_beside_the_running_version_is_taken_away_with_its_image_and_nothing_else() -> None:
    start, prove, remove = start_first_steps(case())
    assert names(start.on_failure) == names(prove.on_failure) == ["undo-start-first", "undo-build"]
    assert [step.action for step in prove.on_failure] == [
        RemoveContainer(container="shop-web-candidate"),
        RemoveImage(image=CANDIDATE, references=(CANDIDATE,)),
    ]
    assert remove.on_failure == ()


@pytest.mark.parametrize(
    "of",
    [
        STATEFUL,
        service(settings=ServiceSettings(switch=SwitchOrder.STOP_FIRST)),
        service(hostname="web"),
        service(devices=("/dev/x",)),
    ],
    ids=["volume", "never", "hostname", "device"],
)
def test_a_service_that_must_not_run_twice_is_stopped_first(of: Service) -> None:
    assert start_first_steps(case(of=of)) == []
    [switch, *_] = switch_steps(case(of=of))
    assert "; stop-first: " in switch.cause


def test_a_service_that_does_not_run_needs_no_proof_beside_itself() -> None:
    assert start_first_steps(case(stopped=True)) == []
    [switch, *_] = switch_steps(case(stopped=True, of=STATEFUL))
    assert "stop-first" not in switch.cause


def test_with_another_configuration_alone_the_image_that_runs_is_proven_beside_itself() -> None:
    same = case(runs=container(WEB, RUNS, config="old"), digest="i1")
    start, prove, _ = start_first_steps(same)
    assert isinstance(start.action, StartFirst)
    assert configured(start.action, "web")["image"] == "shop-web"
    assert names(prove.on_failure) == ["undo-start-first"]


# -- what is kept for rollback


def test_what_runs_gets_the_name_of_a_version_before_the_switch_where_it_has_none() -> None:
    [keep] = keep_steps(case())
    name = version_name(1, config_digest(WEB)).reference("shop", "web")
    assert keep.action == Tag(image=RUNS.image_id, reference=name)
    assert keep_steps(case(replace(RUNS, references=(OWN, name)), versions=())) == []


def test_what_was_never_proven_is_held_by_another_name() -> None:
    [keep] = keep_steps(case(MARKED, versions=()))
    assert keep.action == Tag(image=RUNS.image_id, reference=UNPROVEN)


def test_what_was_started_by_other_means_is_kept_without_its_configuration() -> None:
    pulled, old = service(build=None, image="web:2"), image(1, "web:1")
    [keep] = keep_steps(case(old, of=pulled, runs=container(pulled, old, config=""), versions=()))
    assert keep.action == Tag(image=old.image_id, reference="localhost/tonnage/shop/web:v1")


def test_nothing_is_kept_where_nothing_has_to_be() -> None:
    assert keep_steps(case(stopped=True)) == []
    # Its image is gone, or the same image is deployed again and how it was configured is not known.
    assert keep_steps(case(image(2), versions=())) == []
    pulled, old = service(build=None, image="web:1"), image(1, "web:1")
    assert keep_steps(case(old, of=pulled, runs=container(pulled, old, config=""), versions=())) == []


# -- the switch


def test_the_switch_moves_the_name_the_proof_follows_in_its_place_and_the_candidates_name_goes_last() -> None:
    steps = [*switch_steps(case()), *good_steps(case())]
    assert names(steps) == ["switch", "prove", "good"]
    switch, prove, good = (step.action for step in steps)
    assert isinstance(switch, Switch)
    assert (switch.image, switch.image_name, switch.candidate) == (CANDIDATE, "shop-web", "")
    assert image_in(switch.project, "web") == "shop-web"
    assert "labels" not in configured(switch, "web")
    assert isinstance(prove, Prove)
    assert prove.container_name == ""
    assert isinstance(good, Keep)
    assert good.candidate == CANDIDATE


def test_a_version_is_good_after_the_proof_and_then_has_a_name() -> None:
    switch, prove = switch_steps(case())
    [good] = good_steps(case())
    assert (switch.version, prove.version) == (None, None)
    assert good.version is not None
    assert isinstance(switch.action, Switch)
    assert good.version.project == switch.action.project
    assert (good.version.service, good.version.image_name, good.version.inputs_digest) == ("web", "shop-web", "i9")
    assert (good.version.config_digest, good.version.image_id) == (config_digest(WEB), "")
    assert good.version.prove == prove.action
    # What runs gets the number before it.
    name = version_name(2, config_digest(WEB))
    assert good.version.number == 2
    assert good.action == Keep(
        reference=name.reference("shop", "web"),
        record=replace(name, is_record=True).reference("shop", "web"),
        candidate=CANDIDATE,
    )


def test_without_another_image_no_name_moves_and_what_runs_is_marked_until_it_is_proven() -> None:
    same = case(runs=container(WEB, RUNS, config="old"), digest="i1")
    [switch, prove] = switch_steps(same)
    assert isinstance(switch.action, Switch)
    assert (switch.action.image, switch.action.image_name, switch.action.candidate) == ("", "", CANDIDATE)
    assert names(prove.on_failure) == ["restore", "prove-restored", "undo-candidate"]
    assert prove.on_failure[-1].action == Untag(reference=CANDIDATE)


# -- the way back


def test_back_goes_the_version_that_ran_first_then_what_was_kept_and_the_candidate_last() -> None:
    of = case()
    switch, prove = switch_steps(of)
    assert switch.on_failure == prove.on_failure
    assert names(prove.on_failure) == ["restore", "prove-restored", "undo-build"]
    assert of.runs is not None
    assert of.runs.usable is not None
    assert prove.on_failure[:2] == restore_steps(of, of.runs.usable)
    assert [step.action for step in prove.on_failure[2:]] == [
        # The service's own name had an image before: it is that one's again by then.
        RemoveImage(image=CANDIDATE, references=(CANDIDATE,)),
    ]


def test_back_from_a_version_that_was_not_recorded_goes_its_image_under_the_services_name() -> None:
    [_, prove] = switch_steps(case(runs=container(WEB, RUNS, config=""), versions=()))
    restore = prove.on_failure[0].action
    assert isinstance(restore, Switch)
    assert (restore.image, restore.image_name) == (RUNS.image_id, "shop-web")


def test_what_was_never_proven_runs_again_and_loses_the_name_that_held_it() -> None:
    [_, prove] = switch_steps(case(MARKED, versions=()))
    assert names(prove.on_failure) == ["restore", "prove-restored", "undo-keep", "undo-build"]
    assert prove.on_failure[2].action == Untag(reference=UNPROVEN)


def test_a_first_version_that_fails_leaves_neither_containers_nor_image_nor_name() -> None:
    of = case(image(7, "busybox:latest"), stopped=True, versions=())
    _, prove = switch_steps(of)
    assert names(prove.on_failure) == ["undo-start", "undo-build"]
    assert [step.action for step in prove.on_failure] == [
        RemoveService(project="shop"),
        RemoveImage(image=CANDIDATE, references=(CANDIDATE, OWN)),
    ]


def test_a_service_that_did_not_run_gets_its_name_back_before_the_candidate_goes() -> None:
    _, prove = switch_steps(case(stopped=True))
    assert names(prove.on_failure) == ["undo-start", "name-back", "undo-build"]
    assert [step.action for step in prove.on_failure[1:]] == [
        Tag(image=RUNS.image_id, reference="shop-web"),
        RemoveImage(image=CANDIDATE, references=(CANDIDATE,)),
    ]


def test_a_one_shot_service_is_not_run_again_to_undo_it() -> None:
    job = service(settings=ServiceSettings(one_shot=True))
    _, prove = switch_steps(case(of=job, runs=container(job, RUNS, state="exited", exit_code=0)))
    assert names(prove.on_failure) == ["undo-start", "name-back", "undo-build"]


def test_an_image_that_was_there_before_is_not_removed_when_it_fails() -> None:
    ready = image(2, CANDIDATE, inputs="i9")
    _, prove = switch_steps(case(RUNS, ready))
    assert names(prove.on_failure) == ["restore", "prove-restored", "undo-candidate"]


# -- what runs but was never proven


def unproven(**changes: object) -> ServiceContext:
    return case(MARKED, digest="i1", **({"versions": ()} | changes))  # type: ignore[arg-type]


def test_what_runs_unchanged_but_was_never_proven_is_proven_and_then_recorded() -> None:
    [prove, kept] = unproven_steps(unproven())
    assert kept.version is not None
    assert (kept.version.service, kept.version.inputs_digest) == ("web", "i1")
    assert isinstance(prove.action, Prove)
    assert prove.on_failure == ()


def test_when_it_is_not_healthy_the_good_version_before_it_comes_back() -> None:
    good = image(2, inputs="i2")
    whole = stack(WEB, service("db"))
    [prove, _] = unproven_steps(
        case(MARKED, good, digest="i1", versions=(version(whole, WEB, good, "i2"),), policy=Policy(keep_free_bytes=0))
    )
    assert names(prove.on_failure) == ["restore", "prove-restored"]
    restore = prove.on_failure[0].action
    assert isinstance(restore, Switch)
    assert restore.image == good.image_id


def test_what_is_known_to_be_good_or_was_not_deployed_here_needs_no_proof() -> None:
    assert unproven_steps(case(digest="i1")) == []
    assert unproven_steps(case(digest="i1", versions=(), runs=container(WEB, RUNS, config=""))) == []
    assert unproven_steps(unproven(stopped=True)) == []


def test_a_one_shot_service_that_still_runs_is_waited_for_and_never_restored() -> None:
    job = service(settings=ServiceSettings(one_shot=True))
    good = image(2, inputs="i2")
    whole = stack(job, service("db"))
    known = (version(whole, job, good, "i2"), version(whole, job, RUNS, "i1"))
    [prove, _] = unproven_steps(case(RUNS, good, of=job, digest="i1", versions=known))
    assert prove.cause == "it has not ended yet"
    assert prove.on_failure == ()
    [never, _] = unproven_steps(case(MARKED, good, of=job, digest="i1", versions=known[:1]))
    assert never.on_failure == ()
    ended = container(job, RUNS, state="exited", exit_code=0)
    assert unproven_steps(case(RUNS, good, of=job, digest="i1", versions=known, runs=ended)) == []


def test_compose_is_told_to_make_anew_what_it_would_leave_because_it_counts_nothing_of_it() -> None:
    def forced(written: str, config: str) -> list[bool]:
        runs = container(WEB, RUNS, config=config, labels={CONFIG_HASH: "same"})
        told = case(runs=runs)
        told = replace(told, inventory=replace(told.inventory, config_hashes={"web": written}))
        switch, prove = switch_steps(told)
        assert isinstance(prove.action, Prove)
        back = [each.action for each in switch.on_failure if isinstance(each.action, Switch)]
        return [each.recreate for each in (switch.action, *back) if isinstance(each, Switch)]

    assert forced("same", "another secret") == [True, True]
    assert forced("changed", "another setting") == [False, False]
    assert forced("same", config_digest(WEB)) == [False, False]


def test_the_way_back_spares_what_ran_as_long_as_nothing_has_taken_its_place() -> None:
    runs = container(WEB, RUNS, config="another secret", labels={CONFIG_HASH: "same"})
    told = case(runs=runs)
    told = replace(told, inventory=replace(told.inventory, config_hashes={"web": "same"}))
    switch, _ = switch_steps(told)
    [back] = [each.action for each in switch.on_failure if isinstance(each.action, Switch)]
    assert isinstance(switch.action, Switch)
    assert (switch.action.recreate, switch.action.spares) == (True, ())
    assert (back.recreate, back.spares) == (True, (runs.container_id,))
    # What was never proven and is not healthy is not what the way back leads to.
    bad = replace(container(WEB, MARKED, config="another secret", labels={CONFIG_HASH: "same"}), health="unhealthy")
    told = case(MARKED, image(2), versions=(version(stack(WEB), WEB, image(2), "i2"),), runs=bad)
    told = replace(told, inventory=replace(told.inventory, config_hashes={"web": "same"}))
    switch, _ = switch_steps(told)
    assert [each.action.spares for each in switch.on_failure if isinstance(each.action, Switch)] == [()]
