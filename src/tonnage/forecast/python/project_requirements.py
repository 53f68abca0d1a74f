"""What a project asks for in its ``pyproject.toml``, by what of it is installed. Text in, requirement lines out.

Source: PEP 621 and 735; Poetry 2.2 (``tool.poetry``) and PDM 2.26 (``tool.pdm``) for what is of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from tonnage.errors import CannotResolveError
from tonnage.forecast.python.hatch_environments import hatch_needs
from tonnage.forecast.python.parsing import requirement, requirement_lines
from tonnage.forecast.python.pipfiles import asked_by_pipfile
from tonnage.forecast.python.poetry_versions import python_marker, versions
from tonnage.forecast.python.toml_text import read_toml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tonnage.model.forecast.python_lock import LockedRequest


_MAIN = "main"


def needs(request: LockedRequest) -> list[str]:
    """Return the requirements of what is installed of a project.

    Raises:
        CannotResolveError: ``pyproject.toml`` cannot be read.
    """
    if request.lock_name == "Pipfile.lock":
        return asked_by_pipfile(request)
    told = read_toml(request.project_text, "pyproject.toml")
    if request.environment:
        return hatch_needs(told, request.environment)
    lines: list[str] = []
    # For Poetry the project's own dependencies are the group "main".
    main = _MAIN in request.only_groups if request.only_groups else _MAIN not in request.without_groups
    if main:
        lines += _own(told, request)
    for group in _groups(told, request):
        lines += _group(told, group)
    return list(dict.fromkeys(lines))


def project_name(text: str) -> str:
    """Return the name of a project in the form by which names are compared; empty where that cannot be told."""
    try:
        told = read_toml(text, "pyproject.toml")
    except CannotResolveError:
        return ""
    names = (_table(told, "project").get("name"), _table(told, "tool", "poetry").get("name"))
    return next((canonicalize_name(name) for name in names if isinstance(name, str) and name), "")


def _table(told: Mapping[str, Any], *names: str) -> dict[str, Any]:
    for name in names:
        below = told.get(name)
        told = below if isinstance(below, dict) else {}
    return dict(told)


def _own(told: Mapping[str, Any], request: LockedRequest) -> Iterator[str]:
    """Yield the project's own dependencies, and those of its extras."""
    project, poetry = _table(told, "project"), _table(told, "tool", "poetry")
    yield from requirement_lines(project.get("dependencies"))
    optional = _table(project, "optional-dependencies")
    chosen = {canonicalize_name(each) for each in (optional if request.all_extras else request.extras)}
    for extra, lines in optional.items():
        if canonicalize_name(extra) in chosen:
            yield from requirement_lines(lines)
    extras = _table(poetry, "extras")
    wanted = {canonicalize_name(each) for each in (extras if request.all_extras else request.extras)}
    added: set[str] = set()
    for extra, names in extras.items():
        if canonicalize_name(extra) in wanted:
            added |= {canonicalize_name(requirement(name).name) for name in requirement_lines(names)}
    # Where the standard's table has the dependencies, Poetry's own only says where they come from.
    if not project.get("dependencies"):
        for name, value in _table(poetry, "dependencies").items():
            yield from _poetry(name, value, added)


def _groups(told: Mapping[str, Any], request: LockedRequest) -> list[str]:
    """Return the groups that are installed, which is a matter of each installer's defaults."""
    standard = list(_table(told, "dependency-groups"))
    poetry = _table(told, "tool", "poetry", "group")
    of_poetry = [*poetry, *(["dev"] if _table(told, "tool", "poetry", "dev-dependencies") else [])]
    of_pdm = list(_table(told, "tool", "pdm", "dev-dependencies"))
    known = list(dict.fromkeys((*standard, *of_poetry, *of_pdm)))
    if request.only_groups:
        return [group for group in request.only_groups if group in known]
    # Without a lock the project's own tables tell whose it is.
    of_others = bool(poetry or _table(told, "tool", "poetry") or _table(told, "tool", "pdm"))
    if request.lock_name == "uv.lock" or (not request.lock_name and not of_others):
        asked = _table(told, "tool", "uv").get("default-groups", ["dev"])
        usual = (
            known if asked == "all" else [each for each in asked if each in known] if isinstance(asked, list) else []
        )
    elif request.lock_name == "poetry.lock" or (not request.lock_name and _table(told, "tool", "poetry")):
        optional = {name for name, value in poetry.items() if isinstance(value, dict) and value.get("optional")}
        usual = [group for group in known if group not in optional]
    else:
        usual = known
    if "*" in request.without_groups:
        usual = []
    chosen = known if request.all_groups else dict.fromkeys((*usual, *request.groups))
    return [group for group in chosen if group in known and group not in request.without_groups]


def _group(told: Mapping[str, Any], name: str) -> Iterator[str]:
    """Yield the requirements of one group, and of those that it includes, each of them once."""
    standard = _table(told, "dependency-groups")

    def entries(group: str) -> Iterator[object]:
        listed = standard.get(group)
        return iter(listed if isinstance(listed, list) else ())

    seen = {name}
    under_way = [(name, entries(name))]
    while under_way:
        group, rest = under_way[-1]
        for entry in rest:
            included = entry.get("include-group") if isinstance(entry, dict) else None
            if isinstance(entry, str):
                yield from requirement_lines([entry])
            elif isinstance(included, str) and included not in seen:
                seen.add(included)
                under_way.append((included, entries(included)))
                break
        else:
            yield from _group_of_others(told, group)
            under_way.pop()


def _group_of_others(told: Mapping[str, Any], name: str) -> Iterator[str]:
    """Yield the requirements of a group in the tables of PDM and Poetry."""
    yield from requirement_lines(_table(told, "tool", "pdm", "dev-dependencies").get(name))
    for package, value in _table(told, "tool", "poetry", "group", name, "dependencies").items():
        yield from _poetry(package, value, set())
    if name == "dev":
        for package, value in _table(told, "tool", "poetry", "dev-dependencies").items():
            yield from _poetry(package, value, set())


def _poetry(name: str, value: object, added: set[str]) -> Iterator[str]:
    """Yield a dependency of Poetry's own form in that of the standard."""
    if name == "python":
        return
    for each in value if isinstance(value, list) else [value]:
        table = each if isinstance(each, dict) else {"version": each}
        if table.get("optional") and canonicalize_name(name) not in added:
            continue
        told_extras = table.get("extras")
        names = [each for each in told_extras if isinstance(each, str)] if isinstance(told_extras, list) else []
        extras = f"[{','.join(names)}]" if names else ""
        markers = [python_marker(str(table.get("python") or "*")), str(table.get("markers") or "")]
        marker = " and ".join(f"({told})" for told in markers if told)
        version = versions(told) if isinstance(told := table.get("version"), str) else ""
        place = _place(table)
        wanted = f"{name}{extras} @ {place}" if place else f"{name}{extras}{version}"
        written = f"{wanted} ; {marker}" if marker else wanted
        # What cannot be read of it leaves its name.
        yield from requirement_lines([written]) or requirement_lines([f"{name}{extras}"])


def _place(table: Mapping[str, Any]) -> str:
    """Return the address of a dependency that comes from no index; empty for one that does."""
    told = {key: value for key in ("git", "url", "path") if isinstance(value := table.get(key), str) and value}
    if "git" in told:
        return f"git+{told['git'].removeprefix('git+')}"
    return told.get("url") or (f"file:///{told['path'].lstrip('./')}" if "path" in told else "")
