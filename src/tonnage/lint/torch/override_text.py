"""The compose file that gives builds the index of a build of PyTorch, and leaves every other file alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.decide.deploy.build_environment import TORCH_CPU_ONLY, TORCH_INDEX_URL
from tonnage.lazily import regex

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE_NAME = "docker-compose.override.yml"
_HEADER = """\
# Written by "tonnage torch --override", which writes it anew: put nothing of yours into this file.
# "tonnage torch cuda --override" takes services out of it.
"""
_SERVICE = regex(r'  (?P<name>"[^"\\]+"|[A-Za-z0-9][A-Za-z0-9._-]*):')
_ARGUMENT = regex(r'        (?P<name>[A-Z_]+): "(?P<value>[^"\\]*)"')


def override_text(services: Mapping[str, Mapping[str, str]]) -> str:
    """Return the file that gives services build arguments, by name; empty for none."""
    if not services:
        return ""
    return _HEADER + "services:\n" + "".join(_service_lines(name, args) for name, args in services.items())


def _service_lines(name: str, args: Mapping[str, str]) -> str:
    lines = [f'  "{name}":', "    build:", "      args:"]
    lines += [f'        {key}: "{value}"' for key, value in args.items()]
    return "".join(f"{line}\n" for line in lines)


def read_override(text: str) -> dict[str, dict[str, str]] | None:
    """Return what a file of ours says; None where somebody else wrote it, or changed it."""
    if not text.startswith(_HEADER):
        return None
    services: dict[str, dict[str, str]] = {}
    now: dict[str, str] = {}
    for line in text.splitlines():
        service, argument = _SERVICE.fullmatch(line), _ARGUMENT.fullmatch(line)
        if service is not None:
            now = services.setdefault(service["name"].strip('"'), {})
        elif argument is not None:
            now[argument["name"]] = argument["value"]
    return services if override_text(services) == text else None


def lines_to_add(services: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
    """Return the lines that people add to a file of their own."""
    text = "services:\n" + "".join(_service_lines(name, args) for name, args in services.items())
    return tuple(f"  {line}" for line in text.splitlines())


def arguments(declared: Mapping[str, str | None], index_url: str, *, cpu: bool) -> dict[str, str]:
    """Return the build arguments of a service, by what its Dockerfile declares; none where it takes no index."""
    if TORCH_INDEX_URL not in declared:
        return {}
    return {**({TORCH_CPU_ONLY: "1"} if cpu and TORCH_CPU_ONLY in declared else {}), TORCH_INDEX_URL: index_url}
