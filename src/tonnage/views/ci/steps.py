"""Steps of a workflow as text, and those that log in to registries. Knows names only."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tonnage.model.reports.ci_job import RunnerStack


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
        found.append(
            step(
                f"Log in to {registry or 'the registry'}",
                'test -z "$REGISTRY_USERNAME" ||\n'
                f"  printf '%s' \"$REGISTRY_PASSWORD\" |\n"
                f'  docker login{host} --username "$REGISTRY_USERNAME" --password-stdin',
                condition=condition,
                environment={
                    "REGISTRY_USERNAME": f"${{{{ secrets.{username} }}}}",
                    "REGISTRY_PASSWORD": f"${{{{ secrets.{password} }}}}",
                },
            )
        )
    return found
