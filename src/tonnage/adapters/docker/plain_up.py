"""What a plain ``up`` by hand would find of containers that are made here: all as it would make them itself."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING

from tonnage.adapters.docker import object_acts as objects
from tonnage.adapters.docker.compose.hashes import (
    counts_dependencies,
    hashes_of_files,
    hashes_of_project,
    own_image_name,
)
from tonnage.adapters.docker.facts import DockerFacts
from tonnage.errors import TonnageError
from tonnage.model.compose_labels import CONFIG_HASH, config_hash_of
from tonnage.model.deploy.image_names import image_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tonnage.adapters.docker.connect import DockerConnection
    from tonnage.adapters.docker.tools import ComposeTool, Tools
    from tonnage.model.compose_labels import StackOrigin
    from tonnage.model.stack import ComposeMapping


class PlainUp:
    """Labels and names by which Compose knows again what it would make.

    Args:
        environment: Aimed at the engine.
        origin: Where the stack was read; None where no container is made.
    """

    def __init__(
        self, connection: DockerConnection, tools: Tools, environment: Mapping[str, str], origin: StackOrigin | None
    ) -> None:
        self._connection = connection
        self._tools = tools
        self._environment = environment
        self._origin = origin

    def labels_of(
        self,
        tool: ComposeTool,
        project: str,
        directory: str,
        service: str,
        definition: ComposeMapping,
        *,
        before: str = "",
    ) -> dict[str, str]:
        """Return the labels of containers that Compose makes: with what a plain ``up`` would write, where it differs.

        Compose 1 counts the image by the name that it gives it, so the image has that name while it is asked. What it
        wrote on the version that comes back stands for what it cannot tell: the files of now say something else, or
        the disk is full.

        Args:
            before: What Compose wrote on the containers of an earlier version; empty for a new one.
        """
        labels = self._origin.labels if self._origin else {}
        written, told = definition["services"][service], dict[str, str]()
        own = self._origin.definition["services"].get(service) if self._origin else None
        if tool.generation > 1:
            if written.get("depends_on") and self._counts_dependencies:
                containers = DockerFacts(self._connection).containers(project)
                told = hashes_of_project(tool, project, directory, definition, containers, self._environment)
        # After a rollback the files say something else, and what runs is to be told from them.
        elif self._origin and own is not None and {**own, "image": ""} == {**written, "image": ""}:
            name = own_image_name(self._origin.definition, service)
            # On a full disk, say, no name can be given: a later plain up makes a new version anew then.
            with suppress(TonnageError), self._named_for_a_moment(image_in(definition, service), name):
                told = hashes_of_files(tool, self._origin, [service], self._environment)
        if tool.generation == 1 and before:
            told = {service: before, **told}
        return {**labels, CONFIG_HASH: told[service]} if service in told else labels

    def is_made(self, project: str, service: str, definition: ComposeMapping, labels: Mapping[str, str]) -> bool:
        """Return whether every container of a service is as a label of ours says, which Compose would not find."""
        if CONFIG_HASH not in labels:
            return False
        image = objects.image_id(self._connection, image_in(definition, service))
        containers = DockerFacts(self._connection).containers(project)
        mine = [each for each in containers if each.service == service and not each.one_off]
        return all(config_hash_of(each) == labels[CONFIG_HASH] and each.image_id == image for each in mine)

    def name_proven(self, image: str, service: str) -> None:
        """Give a proven image the name by which Compose 1 looks for it, where none is written."""
        tool, origin = self._tools.compose, self._origin
        if tool is None or tool.generation > 1 or origin is None:
            return
        if origin.definition["services"].get(service, {}).get("build") and (
            name := own_image_name(origin.definition, service)
        ):
            with suppress(TonnageError):
                objects.tag(self._connection, image, name)

    @contextmanager
    def _named_for_a_moment(self, image: str, name: str) -> Iterator[None]:
        """Give an image a name that goes back to what had it before: what is not proven is kept by no name."""
        before = objects.image_id(self._connection, name) if name else None
        if not name or before == objects.image_id(self._connection, image):
            yield
            return
        objects.tag(self._connection, image, name)
        try:
            yield
        finally:
            if before is None:
                objects.untag(self._connection, name)
            else:
                objects.tag(self._connection, before, name)

    @cached_property
    def _counts_dependencies(self) -> bool:
        return counts_dependencies(self._tools.need_compose(), self._environment)
