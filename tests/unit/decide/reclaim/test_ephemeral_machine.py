from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.unit.decide import observed

from tonnage.decide.reclaim.engine_candidates import engine_findings
from tonnage.decide.reclaim.ephemeral_machine import hosted_runner, judge_machine
from tonnage.model.reclaim.candidate import Roots

if TYPE_CHECKING:
    from tonnage.model.inventory import Image
    from tonnage.model.reclaim.candidate import Candidate, HostedRunner

HOSTED = {
    "GITHUB_ACTIONS": "true",
    "RUNNER_ENVIRONMENT": "github-hosted",
    "ImageOS": "ubuntu24",
    "ImageVersion": "20260518.1",
    "AGENT_TOOLSDIRECTORY": "/opt/hostedtoolcache",
}


def test_a_hosted_runner_is_disposable() -> None:
    assert judge_machine(HOSTED).yes


@pytest.mark.parametrize("name", HOSTED)
def test_a_machine_that_lacks_one_sign_is_not(name: str) -> None:
    judged = judge_machine({key: value for key, value in HOSTED.items() if key != name})
    assert not judged.yes
    assert name in judged.reason


def test_a_self_hosted_runner_is_not() -> None:
    assert not judge_machine({**HOSTED, "RUNNER_ENVIRONMENT": "self-hosted"}).yes


def test_what_the_user_says_counts() -> None:
    assert judge_machine({}, declared=True).yes


@pytest.mark.parametrize("name", ["ACT", "GITEA_ACTIONS", "FORGEJO_ACTIONS"])
def test_a_program_that_imitates_a_hosted_runner_on_somebodys_machine_does_not_make_it_one(name: str) -> None:
    judged = judge_machine({**HOSTED, name: "true"})
    assert not judged.yes
    assert name in judged.reason


BOOTED_S = 1_790_000_000.0
PULLED = replace(
    observed.image(1, "ghcr.io/dependabot/updater:1", unique_bytes=900_000_011),
    digests=("ghcr.io/dependabot/updater@x",),
)
RUNNER = hosted_runner(HOSTED, booted_s=BOOTED_S)


def found_on_runner(image: Image, runner: HostedRunner | None = RUNNER) -> Candidate:
    """Return the image as a candidate."""
    needs = Roots(now_s=BOOTED_S + 1_000.0, runner=runner)
    (candidate,) = engine_findings(observed.inventory(images=(image,)), needs).candidates
    return candidate


def test_images_that_a_hosted_runner_came_with_go_early_and_say_why() -> None:
    found = found_on_runner(replace(PULLED, named_s=BOOTED_S - 1.0))
    assert found.reason.startswith("the runner's image ubuntu24 20260518.1 came with it, no container was made from it")
    assert found.back == "docker pull ghcr.io/dependabot/updater:1; the next runner comes with it again"
    elsewhere = found_on_runner(replace(PULLED, named_s=BOOTED_S - 1.0), None)
    assert elsewhere.reason == "no container was made from it, and no stack that is known here names it"
    assert found.cost_s < elsewhere.cost_s


def test_where_the_engine_does_not_tell_when_it_came_the_pulls_since_the_start_do() -> None:
    assert RUNNER is not None
    assert "came with it" in found_on_runner(PULLED).reason
    pulled = replace(RUNNER, pulled=frozenset({"ghcr.io/dependabot/updater:1"}))
    assert "came with it" not in found_on_runner(PULLED, pulled).reason


@pytest.mark.parametrize(
    "image",
    [
        replace(PULLED, named_s=BOOTED_S + 1.0),
        replace(PULLED, digests=()),
        replace(PULLED, only_here=True),
        replace(PULLED, references=()),
    ],
)
def test_what_was_fetched_or_built_by_the_job_did_not_come_with_the_runner(image: Image) -> None:
    assert "came with it" not in found_on_runner(image).reason


def test_no_other_machine_is_a_hosted_runner() -> None:
    assert hosted_runner({**HOSTED, "ACT": "true"}, booted_s=BOOTED_S) is None
    assert hosted_runner({**HOSTED, "RUNNER_ENVIRONMENT": "self-hosted"}, booted_s=BOOTED_S) is None
