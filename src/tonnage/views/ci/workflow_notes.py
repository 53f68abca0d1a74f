"""What stands at the head of a written workflow: the settings that it uses, and what a runner cannot hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.units import format_bytes
from tonnage.views.ci.steps import GITHUB_REGISTRY, credentials

if TYPE_CHECKING:
    from tonnage.model.reports.ci_job import RunnerStack


def secrets_note(stack: RunnerStack) -> str:
    """Say which settings of the repository a workflow uses."""
    lines = ["#", "# Settings of the repository that it uses:"]
    for registry in stack.registries:
        where = registry or "the registry of Docker"
        if registry == GITHUB_REGISTRY:
            lines.append(f"#   nothing for {where}: the token of the job may push to it; for packages of others set")
        lines.append(f"#   secrets {' and '.join(credentials(stack, registry))}: who may push to {where}")
    lines += [
        "#   variables VM_HOST and VM_USER: the machine to deploy to; without VM_HOST nothing is deployed",
        "#   variable VM_PATH: the directory there that files of the stack go to, such as /srv/shop; optional",
        "#   secret VM_SSH_KEY: the private key that the machine lets in",
        "#   variable VM_KNOWN_HOSTS: the machine's line of `ssh-keyscan VM_HOST`, checked by you",
        "#   Secrets belong to the environment named tonnage: Settings, Environments.",
    ]
    return "\n".join(lines) + "\n\n"


def too_large_note(stack: RunnerStack) -> str:
    """Say which services a runner cannot hold even alone, and why one job builds all of them."""
    lines = [
        f"# Forecast: {each.name} needs {format_bytes(each.peak_bytes or 0)} at its worst moment ({each.grade}), and a"
        f" runner has {format_bytes(stack.runner_bytes)}: it fits only after disk was freed."
        for each in stack.too_large
    ]
    if stack.together:
        lines.append(f"# Forecast: {stack.together}")
    return "\n".join(lines) + "\n\n" if lines else ""
