"""The names of the Docker SDK that are used here, imported when one of them is first needed.

Importing it, with what it stands on, takes longer than reading all that a plan needs from a local engine. An ``except``
clause asks for its class only when something was raised, so that what goes well mostly does without.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.auth import get_config_header, resolve_repository_name
    from docker.context import ContextAPI
    from docker.errors import APIError, DockerException, NotFound, create_api_error_from_http_exception
    from docker.utils import kwargs_from_env, parse_repository_tag
    from requests.exceptions import HTTPError, RequestException

__all__ = [
    "APIError",
    "ContextAPI",
    "DockerClient",
    "DockerException",
    "HTTPError",
    "NotFound",
    "RequestException",
    "create_api_error_from_http_exception",
    "get_config_header",
    "kwargs_from_env",
    "parse_repository_tag",
    "resolve_repository_name",
]

_PLACES = ("docker", "docker.errors", "docker.utils", "docker.auth", "docker.context", "requests.exceptions")


def __getattr__(name: str) -> object:
    """Import what is asked for."""
    if name not in __all__:
        raise AttributeError(name)
    found = next(vars(module)[name] for module in map(import_module, _PLACES) if name in vars(module))
    globals()[name] = found
    return found
