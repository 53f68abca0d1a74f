"""Whether a machine is thrown away after use, so that its SDKs may go, and which images it came with.

In doubt it is not, and an image was fetched on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.model.reclaim.candidate import HostedRunner

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.model.inventory import Image

_OF_A_HOSTED_RUNNER = {"GITHUB_ACTIONS": "true", "RUNNER_ENVIRONMENT": "github-hosted"}
_OF_AN_IMITATION = ("ACT", "GITEA_ACTIONS", "FORGEJO_ACTIONS")
"""Set by programs that run the same workflows on people's own machines, and pass on what they were given."""
_SET_BY_ITS_IMAGE = ("ImageOS", "ImageVersion")
_TOOL_CACHE = ("AGENT_TOOLSDIRECTORY", "RUNNER_TOOL_CACHE")


class Disposable(Struct, frozen=True):
    """The answer, with its reason in words."""

    yes: bool
    reason: str


def judge_machine(environment: Mapping[str, str], *, declared: bool = False) -> Disposable:
    """Judge from what the environment says."""
    if declared:
        return Disposable(yes=True, reason="it was said to be disposable")
    lacking = [
        f"{name} is not {wanted}" for name, wanted in _OF_A_HOSTED_RUNNER.items() if environment.get(name) != wanted
    ]
    lacking += [f"{name} is not set" for name in _SET_BY_ITS_IMAGE if not environment.get(name)]
    lacking += [f"{name} is set, as by programs that imitate one" for name in _OF_AN_IMITATION if environment.get(name)]
    if not any(environment.get(name) for name in _TOOL_CACHE):
        lacking.append(f"{_TOOL_CACHE[0]} is not set")
    if lacking:
        return Disposable(yes=False, reason=f"not recognised as a hosted runner: {lacking[0]}")
    return Disposable(yes=True, reason="a hosted runner of GitHub")


def hosted_runner(environment: Mapping[str, str], *, booted_s: float) -> HostedRunner | None:
    """Return the hosted runner that this machine is; None for any other machine.

    Args:
        booted_s: When it began to run, seconds since the epoch.
    """
    if not judge_machine(environment).yes:
        return None
    return HostedRunner(" ".join(environment[name] for name in _SET_BY_ITS_IMAGE), booted_s)


def came_with_it(image: Image, runner: HostedRunner) -> str:
    """Say that an image was on a runner before that began; empty when it was fetched or built there, or may have been.

    Source: actions/runner-images, ``install-docker.sh`` pulls images that few jobs use.
    """
    before = image.named_s < runner.booted_s if image.named_s else runner.pulled.isdisjoint(_names(image))
    there = bool(image.references) and image.pullable and before
    return f"the runner's image {runner.image} came with it" if there else ""


def _names(image: Image) -> tuple[str, ...]:
    return (*image.references, *image.digests, image.image_id)
