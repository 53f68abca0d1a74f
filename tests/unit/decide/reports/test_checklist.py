from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from tonnage.decide.reports.checklist import checklist
from tonnage.model.deploy.plan import Purpose
from tonnage.model.deploy.run import Measured, Outcome, Run, StepOutcome
from tonnage.model.reports.checklist import Evidence, FoundTorch, ItemState

if TYPE_CHECKING:
    from tonnage.model.reports.checklist import Item

MEASURED = Measured(mount="/", before_bytes=13_400_000_003, after_bytes=9, lowest_bytes=7, samples=211)
STEP = StepOutcome(
    name="web.build", service="web", kind="build", outcome=Outcome.DONE, seconds=1.0, measured=(MEASURED,)
)
RUN = Run(
    run_id=7,
    stack="shop",
    engine_id="E",
    purpose=Purpose.DEPLOY,
    started_s=1_795_462_800.0,
    seconds=90.0,
    outcome=Outcome.DONE,
    filesystem="/var/lib/docker",
    reserve_bytes=1,
    steps=(STEP,),
)
REHEARSED = replace(RUN, run_id=5, filesystem="/var/tmp/tonnage/r1/m")
PLACE = "/var/tmp/tonnage"


def item(name: str, evidence: Evidence) -> Item:
    return next(each for each in checklist(evidence) if name in each.name)


def test_a_rehearsal_is_proposed_on_a_disk_of_the_engine_s_own_size() -> None:
    assert item("rehearsed", Evidence(disk_bytes=21_000_000_011)).todo.endswith("tonnage rehearse --disk 21.0GB")
    assert item("rehearsed", Evidence()).todo.endswith("tonnage rehearse --disk 14GB")


def test_without_evidence_nothing_passes() -> None:
    items = checklist(Evidence())

    assert len(items) == 7
    assert all(each.state is not ItemState.PASSED for each in items)
    assert all(each.todo for each in items)


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("run: docker build .", ItemState.FAILED),
        ("uses: docker/build-push-action@v6", ItemState.FAILED),
        ("run: docker compose -f a.yml build", ItemState.FAILED),
        ("run: tonnage reclaim --for plan.json --yes\nrun: tonnage build", ItemState.PASSED),
        ("run: ./deploy.sh --cleanup-disk --yes\nrun: docker build .", ItemState.PASSED),
        ("run: sudo rm -rf /usr/share/dotnet\nrun: docker build .", ItemState.PASSED),
        ("run: tonnage deploy web", ItemState.FAILED),
        ("# run: tonnage reclaim\nrun: docker build .", ItemState.FAILED),
        ("- uses: someone/tonnage@1234\n  with:\n    mode: build", ItemState.PASSED),
        ("- uses: someone/tonnage@1234\n- uses: other/thing@1\n  with: {mode: build}", ItemState.UNKNOWN),
        ("run: docker login example.org\nrun: npm run build", ItemState.UNKNOWN),
        ("run: pytest", ItemState.UNKNOWN),
    ],
)
def test_a_workflow_that_builds_has_to_free_disk(text: str, state: ItemState) -> None:
    assert item("workflows", Evidence(workflows=(("ci.yml", text),))).state is state


def test_one_workflow_that_frees_nothing_is_named() -> None:
    found = item(
        "workflows", Evidence(workflows=(("a.yml", "tonnage reclaim\ntonnage build"), ("b.yml", "docker build .")))
    )

    assert found.found == "b.yml: builds, and frees nothing"


def test_a_workflow_that_frees_only_afterwards_is_named() -> None:
    found = item("workflows", Evidence(workflows=(("a.yml", "docker build .\ndocker image prune -f"),)))

    assert (found.state, found.found) == (ItemState.FAILED, "a.yml: builds, and frees only after it")


def test_installs_that_keep_their_cache_are_named_with_their_line() -> None:
    assert (
        item("installs", Evidence(caches=("web/Dockerfile:7",))).found == "a cache stays in the image: web/Dockerfile:7"
    )
    assert item("installs", Evidence(caches=())).state is ItemState.PASSED


def test_a_rehearsal_is_told_with_when_and_on_which_disk() -> None:
    found = item("rehearsed", Evidence(runs=(RUN, REHEARSED), rehearsals=PLACE))

    assert found.state is ItemState.PASSED
    assert found.found == "run 5, 2026-11-23 19:40 UTC, 13.4 GB available at its beginning"
    assert item("rehearsed", Evidence(runs=(RUN,), rehearsals=PLACE)).state is ItemState.FAILED
    failed = replace(REHEARSED, outcome=Outcome.FAILED)
    assert item("rehearsed", Evidence(runs=(failed, REHEARSED), rehearsals=PLACE)).state is ItemState.FAILED


@pytest.mark.parametrize(
    ("cuda", "device", "state"),
    [
        (True, False, ItemState.FAILED),
        (False, True, ItemState.FAILED),
        (True, True, ItemState.PASSED),
        (False, False, ItemState.PASSED),
    ],
)
def test_the_variant_of_torch_has_to_suit_the_hardware(*, cuda: bool, device: bool, state: ItemState) -> None:
    torch = FoundTorch(service="yolo", cuda=cuda, device=device, bytes_of_cuda=3_481_000_007 if cuda else 0)
    found = item("PyTorch", Evidence(torch=(torch,)))

    assert found.state is state
    assert ("yolo (3.48 GB, forecast)" in found.found) is (cuda and not device)


def test_a_measured_run_shows_that_the_disk_is_recorded() -> None:
    assert item("recorded", Evidence(runs=(RUN,))).found.endswith(": 211 samples")


def test_a_rollback_counts_when_it_did_something_and_succeeded() -> None:
    back = replace(RUN, purpose=Purpose.ROLLBACK)

    assert item("rollback", Evidence(runs=(RUN, back))).state is ItemState.PASSED
    assert item("rollback", Evidence(runs=(replace(back, outcome=Outcome.FAILED), back))).state is ItemState.FAILED
    assert item("rollback", Evidence(runs=(replace(back, steps=()),))).state is ItemState.FAILED


def test_documents_that_say_how_disk_is_freed_are_named() -> None:
    assert item("documented", Evidence(documents=("README.md", "deploy.sh"))).found == "README.md, deploy.sh"
