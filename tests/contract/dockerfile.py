"""Recipes of the simulator written as Dockerfiles, so that a real engine does what the simulator describes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulator import Behaviour, Instruction, Recipe


def dockerfile(recipe: Recipe, salt: str) -> str:
    """Write a recipe as a Dockerfile on a base with busybox's tools.

    Args:
        recipe: What the build does and how its image behaves.
        salt: Goes into every command, so that the build caches of different tests never meet.
    """
    lines = [f"FROM {recipe.base}"]
    lines += [_instruction(number, each, salt) for number, each in enumerate(recipe.instructions, start=1)]
    return "\n".join([*lines, *_behaviour(recipe.behaviour), ""])


def copied_files(recipe: Recipe) -> dict[str, bytes]:
    """Return the files that the build context must hold, by name."""
    return {
        f"copied-{number}": (each.content.encode() * each.kept_bytes)[: each.kept_bytes]
        for number, each in enumerate(recipe.instructions, start=1)
        if each.content
    }


def _instruction(number: int, instruction: Instruction, salt: str) -> str:
    if instruction.content:
        return f"COPY copied-{number} /copied-{number}"
    commands = [f": {salt} {instruction.text}"]
    commands += [f"echo {line}" for line in instruction.prints]
    if instruction.kept_bytes:
        commands.append(_write(instruction.kept_bytes, f"/kept-{number}"))
    if instruction.transient_bytes:
        commands.append(_write(instruction.transient_bytes, "/transient"))
    commands.append(f"sleep {instruction.seconds}")
    if instruction.transient_bytes:
        commands.append("rm /transient")
    if instruction.fails:
        commands.append("false")
    return "RUN " + " && ".join(commands)


def _write(count_bytes: int, path: str) -> str:
    # The last program of the pipe is the one that fails on a full disk, and dd says why; head does not.
    return f"head -c {count_bytes} /dev/urandom | dd of={path} bs=65536"


def _behaviour(behaviour: Behaviour) -> list[str]:
    commands = ["trap 'exit 0' TERM", "rm -f /passes"]
    commands += [f"echo {line}" for line in behaviour.prints]
    for port, status in behaviour.http:
        page = "echo hello > /www/index.html" if status == 200 else ":"
        commands += [f"sleep {behaviour.http_after_s}", "mkdir -p /www", page, f"httpd -p {port} -h /www"]
    if behaviour.check and behaviour.passes_after_s is not None:
        commands.append(f"(sleep {behaviour.passes_after_s}; touch /passes) &")
    if behaviour.exits_after_s is not None:
        commands += [f"sleep {behaviour.exits_after_s}", f"exit {behaviour.exit_code}"]
    else:
        commands.append("while :; do sleep 0.1; done")
    script = "\n".join(commands)
    lines = ["CMD " + json.dumps(["sh", "-c", script])]
    if behaviour.check:
        check = behaviour.check
        start_period = f" --start-period={check.start_period_s}s" if check.start_period_s else ""
        lines.append(
            f"HEALTHCHECK --interval={check.interval_s}s --timeout=2s --retries={check.retries}{start_period}"
            " CMD test -e /passes"
        )
    return lines
