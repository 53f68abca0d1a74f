"""What a rolling switch does: further containers apart from the proxy, then on its networks, then the old ones go."""

from __future__ import annotations

import msgspec

from tonnage.model.stack import ComposeMapping  # noqa: TC001


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """How a container is on a network of the engine.

    Args:
        options: Of the network's driver.
    """

    network: str
    aliases: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] = ()


class StartRolling(msgspec.Struct, frozen=True, tag="start-rolling", kw_only=True):
    """Let Compose make further containers of the step's service, and start them off the networks that lead to them.

    Args:
        project: The whole project for Compose, images pinned, ``build`` removed.
        image: Reference or id that is given the name ``image_name`` first; empty when the name stays.
        count: How many.
        apart: Networks of the engine that they are not on yet.
        kept: Those that they are on from the start.
    """

    project: ComposeMapping
    image: str = ""
    image_name: str = ""
    count: int = 1
    apart: tuple[str, ...] = ()
    kept: tuple[Attachment, ...] = ()


class Connect(msgspec.Struct, frozen=True, tag="connect", kw_only=True):
    """Bring the containers of the step's service onto networks, all but those of ids in ``old``."""

    networks: tuple[Attachment, ...]
    old: tuple[str, ...]


class Drain(msgspec.Struct, frozen=True, tag="drain", kw_only=True):
    """Wait until proxies and resolvers know the new containers; a signal ends it as a failure."""

    seconds: float


class Retire(msgspec.Struct, frozen=True, tag="retire", kw_only=True):
    """Stop containers within the time that they were made with, one after the other, and remove them."""

    containers: tuple[str, ...]


RollingAction = StartRolling | Connect | Drain | Retire
