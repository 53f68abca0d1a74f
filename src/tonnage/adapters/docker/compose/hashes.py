"""What Compose writes of a service's configuration on its containers, asked of Compose itself.

Compose 2 tells the same of a private file with the project as it is written. Compose 1 counts how a file is spelled, a
``build`` section with all that is in it, and the id of the image, which it gives a name of its own: with the hash of a
private file on its containers, a plain ``docker-compose up -d`` would make anew what a deploy has just made. So it is
asked about the user's own files, and containers get what it tells. Earlier versions of Compose 2 count what a service
depends on, but not where it alone is brought up: its containers get what is told of the whole.

Source: ``Service.config_dict`` and ``Service.image_name`` in ``compose/service.py`` of 1.29.2.
"""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING

from tonnage.adapters import process
from tonnage.adapters.docker.compose.command import run
from tonnage.adapters.docker.compose.project_file import for_hashes, is_told
from tonnage.errors import EngineLacksError, StepFailedError
from tonnage.lazily import regex
from tonnage.model.deploy.image_names import first_compose_name
from tonnage.own_files import temporary_directory

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.adapters.docker.tools import ComposeTool
    from tonnage.model.compose_labels import StackOrigin
    from tonnage.model.inventory import Container
    from tonnage.model.stack import ComposeMapping

_TIMEOUT_S = 120.0
# The files are of a project, and everything in them is read.
_BOUNDS = process.Bounds(memory_bytes=1 << 30, file_bytes=1 << 20)
_HASH = regex(r"(\S+) ([0-9a-f]{64})")


def config_hashes(
    tool: ComposeTool, origin: StackOrigin, containers: Sequence[Container], environment: Mapping[str, str]
) -> dict[str, str]:
    """Return what Compose would write of its configuration on the containers of each service now.

    Args:
        containers: Those of the stack. Compose 2 counts the container that a service joins.
        environment: Aimed at the engine.

    Returns:
        Nothing of services of which it counts what no file can say, and nothing at all when it refuses.
    """
    services = list(origin.definition["services"])
    if tool.generation == 1 and (found := hashes_of_files(tool, origin, services, environment)):
        return found
    return hashes_of_project(tool, origin.project, origin.directory, origin.definition, containers, environment)


def hashes_of_project(
    tool: ComposeTool,
    project: str,
    directory: str,
    definition: ComposeMapping,
    containers: Sequence[Container],
    environment: Mapping[str, str],
) -> dict[str, str]:
    """Return what Compose tells that it would write, of a private file with a project as it is written.

    Args:
        containers: Those of the stack.
        environment: Aimed at the engine.

    Returns:
        Nothing of services of which it counts what no file can say, and nothing at all when it refuses.
    """
    services = definition["services"]
    alive = [each for each in containers if not each.one_off]
    joined = {each.service: each.container_id for each in sorted(alive, key=lambda each: -each.number)}
    told: list[str] = []
    try:
        text = for_hashes(definition, tool.generation, joined)
    except EngineLacksError:
        # It would refuse the stack as well, which is told when something is to be done.
        return {}
    arguments = ["config", "--hash", "*"]
    if run(tool, project, directory, text, arguments, environment, told.append, Event()) is not None:
        return {}
    found = _hashes(told)
    return {name: found[name] for name, each in services.items() if name in found and is_told(each)}


def counts_dependencies(tool: ComposeTool, environment: Mapping[str, str]) -> bool:
    """Return whether a Compose 2 counts what a service depends on, which ``up --no-deps`` takes away before.

    Source: Compose 2.26 does and 2.40 does not, tried.
    """
    alone = {"image": "busybox"}
    services = {"a": alone, "b": {**alone, "depends_on": {"a": {"condition": "service_started"}}}}
    with temporary_directory("compose") as directory:
        told = hashes_of_project(tool, "a", directory, {"name": "a", "services": services}, (), environment)
    return len(set(told.values())) > 1


def hashes_of_files(
    tool: ComposeTool, origin: StackOrigin, services: Sequence[str], environment: Mapping[str, str]
) -> dict[str, str]:
    """Return what a plain ``docker-compose up`` would write on the containers of services.

    Args:
        tool: A Compose of the first generation.
        environment: Aimed at the engine: the id of the image counts.

    Returns:
        Nothing where Compose 1 refuses the files, where they are elsewhere, or where there are none.
    """
    if not origin.files or origin.place:
        return {}
    command = [*tool.command, "--ansi", "never", "--project-name", origin.project]
    command += ["--project-directory", origin.directory]
    for option, values in (("--file", origin.files), ("--env-file", origin.env_files)):
        for value in values:
            command += [option, value]
    try:
        done = process.run(
            [*command, "config", "--hash", ",".join(services)],
            environment=environment,
            directory=origin.directory,
            timeout_s=_TIMEOUT_S,
            bounds=_BOUNDS,
        )
    except StepFailedError:
        return {}
    if done.exit_code:
        return {}
    return _hashes(done.stdout.splitlines())


def own_image_name(definition: ComposeMapping, service: str) -> str:
    """Return the name that Compose 1 gives the image of a service; empty where a name is written."""
    if definition["services"][service].get("image"):
        return ""
    return first_compose_name(str(definition["name"]), service).removesuffix(":latest")


def _hashes(lines: Sequence[str]) -> dict[str, str]:
    return {match[1]: match[2] for line in lines if (match := _HASH.fullmatch(line.strip()))}
