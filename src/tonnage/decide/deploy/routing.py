"""By what a proxy is told to send traffic to a container: labels and variables that a container beside goes without.

A proxy of this kind asks the engine for containers and believes their labels. One that is not proven yet must have none
of these; Traefik also routes to containers that say nothing, so it is told not to.

Source: the documentation of Traefik, caddy-docker-proxy, nginx-proxy with acme-companion, GoDoxy, EasyHAProxy, SWAG.
"""

from __future__ import annotations

import re
from fnmatch import translate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tonnage.model.stack import ComposeMapping

LABELS = (*("traefik.*", "caddy*", "com.github.nginx-proxy.*", "easyhaproxy.*", "proxy.*", "swag", "swag_*"),)
VARIABLES = ("VIRTUAL_*", "LETSENCRYPT_*")
_NOT_BY_ITSELF = {"traefik.enable": "false"}


def routed_by(config: ComposeMapping, patterns: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the labels and variables of a service by which proxies route to it.

    Args:
        patterns: Further ones, as the user writes them: of labels and of variables.
    """
    labels, variables = config.get("labels") or {}, config.get("environment") or {}
    return (
        *_matching(labels, (*LABELS, *patterns)),
        *_matching(variables, (*VARIABLES, *patterns)),
    )


def unrouted(project: ComposeMapping, service: str, patterns: Sequence[str] = ()) -> ComposeMapping:
    """Return a project in which no proxy is told to send traffic to a service."""
    config = project["services"][service]
    gone = frozenset(routed_by(config, patterns))
    changed = dict(config)
    for key in ("labels", "environment"):
        changed[key] = {name: value for name, value in (config.get(key) or {}).items() if name not in gone}
    changed["labels"] |= _NOT_BY_ITSELF
    return {**project, "services": {**project["services"], service: changed}}


def _matching(names: Iterable[str], patterns: Iterable[str]) -> list[str]:
    matching = re.compile("|".join(map(translate, patterns)))
    return [name for name in names if matching.match(name)]
