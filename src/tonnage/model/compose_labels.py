"""The labels by which Compose knows its own containers again; on a container there are these and none of ours.

Source: docker/compose ``pkg/api/labels.go`` (2.x), and ``compose/const.py`` of 1.29.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from tonnage.model.inventory import Container
    from tonnage.model.stack import ComposeMapping, Stack

PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
NUMBER = "com.docker.compose.container-number"
ONE_OFF = "com.docker.compose.oneoff"
CONFIG_HASH = "com.docker.compose.config-hash"
"""Identity of what Compose made the container from, image and content of secrets left out."""
FILES = "com.docker.compose.project.config_files"
DIRECTORY = "com.docker.compose.project.working_dir"
ENV_FILES = "com.docker.compose.project.environment_file"


def config_hash_of(container: Container) -> str:
    """Return what Compose wrote on a container of its configuration; empty where Compose did not make it."""
    return container.labels.get(CONFIG_HASH, "")


class StackOrigin(Struct, frozen=True, kw_only=True):
    """Where a stack was read, and what its files say.

    Args:
        project: The name of the stack.
        directory: Its directory, absolute.
        place: Where that directory lies on the engine's machine; empty where it is the same one.
        files: The files it was read from, absolute, in the order of merging.
        env_files: The files of variables that were named, absolute; none for ``.env``.
        definition: The project as it is written.
    """

    project: str
    directory: str
    place: str
    files: tuple[str, ...]
    env_files: tuple[str, ...]
    definition: ComposeMapping

    @property
    def labels(self) -> dict[str, str]:
        """What containers say of it, as the engine's machine has it; what is empty is not said."""
        return {
            FILES: ",".join(self.files),
            DIRECTORY: self.place or self.directory,
            ENV_FILES: ",".join(self.env_files),
        }


def origin_of(stack: Stack, definition: ComposeMapping) -> StackOrigin:
    """Return where a stack was read."""
    return StackOrigin(
        project=stack.name,
        directory=stack.directory,
        place=stack.place,
        files=stack.files,
        env_files=stack.env_files,
        definition=definition,
    )
