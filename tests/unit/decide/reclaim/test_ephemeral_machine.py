from __future__ import annotations

import pytest

from tonnage.decide.reclaim.ephemeral_machine import judge_machine

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
