"""Steps of a workflow as text, and those that log in to registries. Knows names only."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tonnage.model.reports.ci_job import RunnerStack


GITHUB_REGISTRY = "ghcr.io"
"""GitHub's own registry: the token of a job may push to it."""


def in_order(steps: list[str]) -> str:
    """Write the steps of a job."""
    return f"    steps:\n{''.join(steps)}"


def step(name: str, run: str, *, condition: str = "", environment: dict[str, str] | None = None) -> str:
    """Write one step that runs a script."""
    lines = [f"      - name: {json.dumps(name)}"]
    if condition:
        lines.append(f"        if: ${{{{ {condition} }}}}")
    if environment:
        lines += ["        env:", *(f"          {key}: {value}" for key, value in environment.items())]
    lines += ["        run: |", *(f"          {line}" for line in run.splitlines())]
    return "\n".join(lines) + "\n"


def credentials(stack: RunnerStack, registry: str) -> tuple[str, str]:
    """Return the names of the secrets for one registry: with several, none is given what belongs to another."""
    host = re.sub(r"[^A-Z0-9]", "_", registry.upper()) or "DOCKER"
    suffix = f"_{host}" * (len(stack.registries) > 1)
    return f"REGISTRY_USERNAME{suffix}", f"REGISTRY_PASSWORD{suffix}"


def login(stack: RunnerStack, *, condition: str = "") -> list[str]:
    """Write the steps that log in to the registries of a stack."""
    found = []
    for registry in stack.registries:
        host = f' "{registry}"' if registry else ""
        username, password = credentials(stack, registry)
        # A secret of one's own comes first: the job's token may push to packages of this repository only.
        own = (" || github.actor", " || github.token") if registry == GITHUB_REGISTRY else ("", "")
        found.append(
            step(
                f"Log in to {registry or 'the registry'}",
                'if [ -z "$REGISTRY_USERNAME" ]; then\n'
                f"  echo '::warning::the secret {username} is not set: the job is not logged in to"
                f" {registry or 'the registry of Docker'}, and a push may be refused after the build'\n"
                "else\n"
                "  printf '%s' \"$REGISTRY_PASSWORD\" |\n"
                f'    docker login{host} --username "$REGISTRY_USERNAME" --password-stdin\n'
                "fi",
                condition=condition,
                environment={
                    "REGISTRY_USERNAME": f"${{{{ secrets.{username}{own[0]} }}}}",
                    "REGISTRY_PASSWORD": f"${{{{ secrets.{password}{own[1]} }}}}",
                },
            )
        )
    return found
