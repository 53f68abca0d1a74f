"""What is said once workflows were written: what to do next, and what other workflows do as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.escapes import visible_in_line
from tonnage.views.ci.steps import GITHUB_REGISTRY, credentials

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.reports.ci_job import DoneElsewhere, RunnerStack


def next_steps(stack: RunnerStack, paths: Sequence[str]) -> str:
    """Write what is left to do after the workflows were written, as commands where there are some.

    Args:
        paths: The files, from the root of the repository.
    """
    lines = ["next steps:"]
    secrets = [
        name
        for registry in stack.registries
        if registry != GITHUB_REGISTRY
        and not any(each.is_of_runner for each in stack.built if each.registry == registry)
        for name in credentials(stack, registry)
    ]
    # gh answers 404 where the environment is not there yet.
    environment = ["    gh api --method PUT 'repos/{owner}/{repo}/environments/tonnage'"]
    if secrets:
        lines.append("  who may push, as secrets of the environment named tonnage:")
        lines += environment
        environment = []
        lines += [f"    gh secret set {name} --env tonnage" for name in secrets]
    if GITHUB_REGISTRY in stack.registries:
        lines.append(f"  nothing for {GITHUB_REGISTRY}: the job's own token (GITHUB_TOKEN) may push to it")
    lines += [
        "  to deploy to a machine (without VM_HOST nothing is deployed):",
        *environment,
        "    gh variable set VM_HOST --env tonnage",
        "    gh variable set VM_USER --env tonnage",
        "    ssh-keyscan VM_HOST | gh variable set VM_KNOWN_HOSTS --env tonnage   # compare with the machine's own key",
        "    gh secret set VM_SSH_KEY --env tonnage < PRIVATE_KEY",
        *_built_there(stack),
        "  commit and push them:",
        f"    git add {' '.join(map(visible_in_line, paths))}",
        f"    git commit --message 'Build and deploy with Tonnage' && git push origin {visible_in_line(stack.branch)}",
    ]
    return "\n".join(lines)


def _built_there(stack: RunnerStack) -> list[str]:
    """Say what a push to a registry would spare the machine that is deployed to."""
    if stack.is_pulled or not stack.registries:
        return []
    names = ", ".join(each.name for each in stack.built if not (each.pushed and each.pulled) or each.is_of_runner)
    return [
        f"    that machine builds all images itself, because it cannot pull {names}:",
        "      give each service an image name with a registry, such as image: ghcr.io/OWNER/NAME",
    ]


def other_workflows_text(found: Sequence[DoneElsewhere]) -> str:
    """Name what the user's own workflows do that the written ones do as well; empty for nothing."""
    lines = []
    for each in found:
        what = "frees disk" if each.does == "cleans" else f"builds{f' {each.image}' if each.image else ''}"
        lines.append(f"  {each.file}:{each.line} {what}: {visible_in_line(each.text)}")
    if not lines:
        return ""
    head = "other workflows do the same; remove it there, or it is done twice on every push:"
    return "\n".join((head, *lines))
