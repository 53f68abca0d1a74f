"""Containers that Compose was replacing when it was killed, and which containers a service has beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tonnage.model.inventory import Container

_REPLACES = "com.docker.compose.replace"
_SHORT_ID = 12
_HEXADECIMAL = frozenset("0123456789abcdef")


def is_half_replaced(container: Container) -> bool:
    """Return whether a container has the name that Compose gives for the moment in which one replaces another.

    Compose 1 so renames the old one, with the beginning of its own id in front; Compose 2 the new one, with that of
    the old one's, and says whom it replaces.
    Source: ``rename_to_tmp_name`` in ``compose/container.py`` of 1.29, ``recreateContainer`` in
    ``pkg/compose/convergence.go`` of 2.26 and 2.40.
    """
    beginning, _, name = container.name.partition("_")
    if len(beginning) != _SHORT_ID or not name or not set(beginning) <= _HEXADECIMAL:
        return False
    replaces = container.labels.get(_REPLACES, "")
    is_named = replaces != container.name and (name.endswith(replaces) or replaces.startswith(beginning))
    return container.container_id.startswith(beginning) or (bool(replaces) and is_named)


def of_service(containers: Iterable[Container], service: str) -> tuple[Container, ...]:
    """Return the containers of one service of a project, by number.

    Left out are one-off ones, and of two of which Compose was replacing one the one that is so named: it is to go. An
    only one stays in, whatever its name: it may hold volumes without a name, which Compose takes along from it.
    """
    mine = [each for each in containers if each.service == service and not each.one_off]
    placed = {each.number for each in mine if not is_half_replaced(each)}
    counted = (each for each in mine if not is_half_replaced(each) or each.number not in placed)
    return tuple(sorted(counted, key=lambda each: (each.number, each.container_id)))


def half_replaced(containers: Iterable[Container], project: str, service: str) -> tuple[Container, ...]:
    """Return the containers of a service that a killed Compose left beside those that it has."""
    mine = [each for each in containers if each.project == project and each.service == service and not each.one_off]
    counted = of_service(mine, service)
    return tuple(each for each in mine if each not in counted)
