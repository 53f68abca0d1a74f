"""The labels by which Compose knows its own containers again; on a container there are these and none of ours.

Source: docker/compose ``pkg/api/labels.go`` (2.x), and ``compose/const.py`` of 1.29.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tonnage.model.inventory import Container
    from tonnage.model.stack import Stack

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


def origin_labels(stack: Stack) -> dict[str, str]:
    """Return what containers of a stack say of where it was read; what is empty is not said.

    The directory is that of the engine's machine, where the stack has one there.
    """
    return {
        FILES: ",".join(stack.files),
        DIRECTORY: stack.place or stack.directory,
        ENV_FILES: ",".join(stack.env_files),
    }
