"""What an environment of Hatch installs, as ``pyproject.toml`` says. Tables in, requirement lines out.

Source: "Environment configuration" and "Dependencies" of the documentation of Hatch 1.16.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from tonnage.errors import CannotFetchError
from tonnage.forecast.python.parsing import requirement_lines

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEFAULT = "default"
_LISTS = ("dependencies", "extra-dependencies", "features", "dependency-groups")


def hatch_needs(told: Mapping[str, Any], name: str) -> list[str]:
    """Return what an environment installs besides the project itself.

    Args:
        told: What ``pyproject.toml`` says.

    Raises:
        CannotFetchError: Only Hatch knows: there are several environments of that name, or it stands elsewhere.
    """
    environments = _table(_table(_table(told, "tool"), "hatch"), "envs")
    if name not in environments and name != _DEFAULT:
        raise _unknown(name, "it is not in pyproject.toml")
    settings = _inherited(environments, name)
    if settings.get("matrix") or settings.get("overrides"):
        raise _unknown(name, "it is made in several forms")
    project = _table(told, "project")
    lines = requirement_lines(settings.get("dependencies")) + requirement_lines(settings.get("extra-dependencies"))
    if not (settings.get("skip-install") or settings.get("detached")):
        dynamic = project.get("dynamic")
        if isinstance(dynamic, list) and "dependencies" in dynamic:
            raise _unknown(name, "what the project needs is told when it is built")
        lines += requirement_lines(project.get("dependencies"))
        wanted = {canonicalize_name(each) for each in settings.get("features") or () if isinstance(each, str)}
        for extra, needs in _table(project, "optional-dependencies").items():
            lines += requirement_lines(needs) if canonicalize_name(extra) in wanted else []
    for group in settings.get("dependency-groups") or ():
        lines += requirement_lines(_table(told, "dependency-groups").get(group)) if isinstance(group, str) else []
    return list(dict.fromkeys(lines))


def _inherited(environments: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the settings of an environment with those of its templates."""
    settings: dict[str, Any] = {}
    seen: set[str] = set()
    while name not in seen:
        seen.add(name)
        own = _table(environments, name)
        settings = {**own, **settings}
        template = own.get("template")
        name = template if isinstance(template, str) else name if own.get("detached") else _DEFAULT
    return {key: value for key, value in settings.items() if key not in _LISTS or isinstance(value, list)}


def _table(told: Mapping[str, Any], name: str) -> dict[str, Any]:
    below = told.get(name)
    return dict(below) if isinstance(below, dict) else {}


def _unknown(name: str, why: str) -> CannotFetchError:
    return CannotFetchError(
        f"What the environment {name} of Hatch installs is known to Hatch alone", "not found", why=f"Here {why}."
    )
