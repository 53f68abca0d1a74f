"""The builders beside the engine that people of this machine have configured with buildx, by the names of their nodes.

Files of the user, of who called ``sudo``, and as root of every account are read. What cannot be read may name any.

Source: docker/buildx, ``store/store.go`` (``instances/``), ``store/nodegroup.go``, ``util/confutil/config.go``.
"""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct, field

from tonnage.lazily import learned
from tonnage.model.reclaim.candidate import Builders
from tonnage.small_files import SETTINGS, read_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class _Node(Struct):
    name: str = field(name="Name")


class _NodeGroup(Struct):
    nodes: list[_Node] | None = field(name="Nodes", default=None)


def configured_builders(environment: Mapping[str, str], *, root: str = "/") -> Builders:
    """Return the builders that are configured.

    Args:
        environment: ``BUILDX_CONFIG``, ``DOCKER_CONFIG``, ``HOME`` and ``SUDO_USER`` say where.
        root: The directory that homes of accounts lie below.
    """
    nodes: set[str] = set()
    for place in dict.fromkeys((_own(environment), *_others(environment, root))):
        directory = Path(place, "instances")
        try:
            names = os.listdir(directory)  # noqa: PTH208 - names are asked for
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            return Builders(unknown=f"which builders {directory} configures cannot be read: {error.strerror}")
        for name in names:
            try:
                told = msgspec.json.decode(read_text(directory / name, SETTINGS), type=learned(_NodeGroup))
            except FileNotFoundError:
                continue
            except (OSError, ValueError, msgspec.DecodeError) as error:
                return Builders(unknown=f"the builder that {directory / name} configures cannot be read: {error}")
            nodes |= {node.name for node in told.nodes or ()}
    return Builders(nodes=frozenset(nodes))


def _own(environment: Mapping[str, str]) -> str:
    settings = environment.get("DOCKER_CONFIG") or f"{environment.get('HOME', '')}/.docker"
    return environment.get("BUILDX_CONFIG") or f"{settings}/buildx"


def _others(environment: Mapping[str, str], root: str) -> Iterable[str]:
    caller = environment.get("SUDO_USER", "")
    everybody = os.geteuid() == 0
    homes = [each.pw_dir for each in pwd.getpwall() if everybody or each.pw_name == caller]
    return [os.path.join(root, home.lstrip("/"), ".docker/buildx") for home in homes]  # noqa: PTH118 - text
