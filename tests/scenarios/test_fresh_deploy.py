"""Intent: a stack goes onto an empty engine in the order of its dependencies; what nobody changed is left alone.

Steps: deploy three services, one of them with a volume; deploy again; build the same by hand.
State checked: containers, image layers, names and cache of the engine; runs and measured bytes in the journal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.scenarios.seeing import without_records
from tests.scenarios.watching import page

from tonnage.model.deploy.run import Outcome

if TYPE_CHECKING:
    from tests.scenarios.driving import Project

pytestmark = pytest.mark.engine

HEALTHY = {"condition": "service_healthy"}
WEIGHTS_BYTES = 7_000_003


def fleet(project: Project) -> None:
    """Write three services in an order that is not the one of their dependencies."""
    project.web("gate", "gate 1", ports=["18083:8080"], depends_on={"model": HEALTHY})
    run = f"head -c {WEIGHTS_BYTES} /dev/urandom > /weights; sleep 1.3"
    project.web("model", "model 1", run=run, depends_on=["store"])
    project.web("store", "store 1", volumes=["kept:/data"])


@pytest.mark.each_engine
def test_a_fresh_deploy_brings_up_every_service_and_a_second_one_changes_nothing(project: Project) -> None:
    fleet(project)
    engine = project.engine
    images_before = set(engine.images())
    project.deploy()

    started = {name: engine.container(name).started_at for name in ("store", "model", "gate")}
    assert started["store"] < started["model"] < started["gate"]
    assert {engine.health(name) for name in started} == {"healthy"}
    assert page(project.real.address, 18083) == "gate 1"
    mounts = engine.details("store")["Mounts"]
    assert [(mount["Type"], mount["Name"]) for mount in mounts] == [("volume", f"{project.name}_kept")]
    assert engine.names_of_ours() == set()
    assert len(engine.client.containers.list(all=True)) == 3
    assert set(without_records(engine.images())) == images_before | {engine.container(name).image for name in started}

    # A build by hand finds every step in the cache, and adds nothing to what is there.
    for name in started:
        project.docker("build", "-t", f"plain-{name}", f"./{name}")
        assert engine.layers(f"plain-{name}") == engine.layers(engine.container(name).image)

    before, cache = engine.everything(), engine.cache()
    project.deploy()
    assert engine.everything() == before
    assert engine.cache() == cache
    assert project.step_names() == []
    assert project.runs()[0].outcome is Outcome.DONE


@pytest.mark.only_on("in containerd a layer lies there up to three times", store="classic")
def test_the_journal_has_every_step_measured_and_the_next_forecast_is_learned(project: Project) -> None:
    run = (
        f"head -c {WEIGHTS_BYTES} /dev/urandom > /weights; head -c 23000009 /dev/urandom > /tmp/t; sleep 1.1; rm /tmp/t"
    )
    project.web("model", "model 1", run=run)
    project.deploy()

    (first,) = project.runs()
    assert first.outcome is Outcome.DONE
    assert first.reserve_bytes == 1_000_000_000
    assert {step.outcome for step in first.steps} == {Outcome.DONE}
    assert not any(step.undo for step in first.steps)
    assert all(step.measured[0].mount == project.real.mount for step in first.steps)
    build = project.step("model.build")
    disk = build.measured[0]
    assert build.seconds > 1.1
    assert disk.samples >= 20 * build.seconds
    assert WEIGHTS_BYTES <= disk.kept_bytes < WEIGHTS_BYTES + 3_000_000
    assert 20_000_003 <= disk.transient_bytes < 26_000_003
    assert disk.lowest_bytes == min(disk.before_bytes, disk.after_bytes) - disk.transient_bytes
    assert build.forecast_grade == "declared"
    assert abs((build.forecast_kept_bytes or 0) - disk.kept_bytes) <= 1_000_000
    assert build.forecast_transient is not None
    assert abs(build.forecast_transient.likely_bytes - disk.transient_bytes) <= 4_000_000
    switch_kept_bytes = project.step("model.switch").measured[0].kept_bytes

    # Only the page is new: what the switch-over keeps is known by now, and the layer below the page is there already.
    project.web("model", "model 2", run=run)
    project.deploy()
    switch = project.step("model.switch")
    assert (switch.forecast_kept_bytes, switch.forecast_grade) == (switch_kept_bytes, "learned")
    build = project.step("model.build")
    assert build.forecast_grade == "declared"
    assert (build.forecast_kept_bytes or 0) < 1_000_000
    project.web("model", "model 3", run=run)
    project.deploy()
    assert len(project.runs()) == 3
