"""The corpus: small compose files, and what Compose itself made of each.

``cases/KIND.toml`` has the inputs, ``recorded/KIND.json`` what two versions of Compose printed for them, or why they
refused them. A case has

``about``
    what it is about, once in its file;
``service``, ``top`` or ``text``
    what the service ``a`` has besides ``image: i``, what stands below the services, or all of ``compose.yaml``; a list
    of them is a case for each;
``files``
    further files, by their paths in the project directory;
``values``
    texts that stand for ``@@`` in turn: each is a case of its own;
``environment``, ``named``, ``profiles``
    the variables, what ``-f`` names, and what ``--profile`` does;
``own``
    for what Compose takes and Tonnage refuses on purpose: a part of that refusal;
``note``
    why the two versions of Compose differ: the newer one is right.
"""

from __future__ import annotations

import json
import re
import tomllib
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
DIRECTORY = "/above/project"
"""Where the files lie in what is recorded, wherever they did."""
HOME = "/home/me"
NEWER, OLDER, OF = "newer", "older", "of"
_VALUE = "@@"
_WRITTEN = ("service", "top", "text")
_KEYS = {"about", *_WRITTEN, "files", "values", "environment", "named", "profiles", "own", "note"}
# What Compose prints when it is not zero; elsewhere nothing and zero are two things.
_SAID_WHEN_ZERO = frozenset({"replicas", "scale", "retries", "required", "create_host_path", "attach", "init"})
# Mappings with names that users give: nothing at a name differs from no such name.
_NAMES = frozenset(
    {
        "args", "annotations", "aux_addresses", "configs", "depends_on", "driver_opts", "environment", "extra_hosts",
        "labels", "networks", "options", "secrets", "services", "storage_opt", "sysctls", "ulimits", "volumes",
    }
)  # fmt: skip
_MISSING = "missing"


class Case(Struct, frozen=True):
    """One input: files, and how they are asked for."""

    kind: str
    name: str
    files: dict[str, str]
    environment: dict[str, str] = {}
    named: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    own: str = ""
    note: str = ""

    @property
    def variables(self) -> dict[str, str]:
        """The environment that it is read in."""
        return {"HOME": HOME, **self.environment}

    @property
    def digest(self) -> str:
        """What tells whether a recording is of these inputs."""
        inputs = [self.files, self.environment, self.named, self.profiles]
        return sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:8]


def cases() -> list[Case]:
    """Return all cases of all kinds."""
    return [case for path in sorted((HERE / "cases").glob("*.toml")) for case in _cases(path)]


def _cases(path: Path) -> list[Case]:
    found: dict[str, Case] = {}
    for entry in tomllib.loads(path.read_text(encoding="utf-8"))["case"]:
        assert set(entry) <= _KEYS, entry
        for name, files in _named(entry):
            assert name not in found, f"{name} stands twice in {path.name}"
            found[name] = Case(
                kind=path.stem,
                name=name,
                files=files,
                environment=entry.get("environment", {}),
                named=tuple(entry.get("named", ())),
                profiles=tuple(entry.get("profiles", ())),
                own=entry.get("own", ""),
                note=entry.get("note", ""),
            )
    return list(found.values())


def _named(entry: dict[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the files of each case of an entry, with its name."""
    several = [key for key in _WRITTEN if isinstance(entry.get(key), list)]
    for text in entry[several[0]] if several else [""]:
        written = {**entry, **dict.fromkeys(several, text)}
        for value in entry.get("values", [None]):
            about = [text.replace(_VALUE, value or "")] if several else [] if value is None else [value]
            name = ": ".join([entry["about"], *about])
            files = _files(written).items()
            yield (
                name,
                {file: content.replace(_VALUE, value) if value is not None else content for file, content in files},
            )


def _files(entry: dict[str, Any]) -> dict[str, str]:
    files: dict[str, str] = dict(entry.get("files", {}))
    if "text" in entry:
        files["compose.yaml"] = entry["text"]
    elif "service" in entry or "top" in entry:
        lines = entry.get("service", "").splitlines()
        image = [] if any(line.startswith("image:") for line in lines) else ["image: i"]
        service = "".join(f"    {line}\n" for line in [*image, *lines])
        files["compose.yaml"] = f"services:\n  a:\n{service}{entry.get('top', '')}\n"
    return files


def recorded(kind: str) -> dict[str, dict[str, Any]]:
    """Return what Compose made of the cases of a kind, by their names."""
    path = HERE / "recorded" / f"{kind}.json"
    found: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def told(form: dict[str, Any]) -> dict[str, Any]:
    """Return a canonical form without what nearly every one has: only what is told by it remains."""
    services = {name: _told_service(service) for name, service in form["services"].items()}
    networks = {
        name: network
        for name, network in (form.get("networks") or {}).items()
        if (name, network.get("name"), network.get("ipam") or {}) != ("default", f"{form['name']}_default", {})
        or set(network) - {"name", "ipam"}
    }
    named = {} if form["name"] == "project" else {"name": form["name"]}
    rest = {key: value for key, value in form.items() if key not in {"name", "services", "networks"} and value}
    return {**named, "services": services, **({"networks": networks} if networks else {}), **rest}


def _told_service(service: dict[str, Any]) -> dict[str, Any]:
    usual = {"command": None, "entrypoint": None, "networks": {"default": None}}
    if "blkio_config" in service:
        # Compose writes these names as they are called inside of it.
        service = {
            **service,
            "blkio_config": json.loads(re.sub(r'"[A-Z]\w+":', _lower, json.dumps(service["blkio_config"]))),
        }
    return {
        key: value
        for key, value in service.items()
        if not key.startswith("x-") and (key not in usual or value != usual[key])
    }


def _lower(found: re.Match[str]) -> str:
    return found[0].lower()


def differences(own: Any, right: Any, path: str = "") -> list[str]:  # noqa: ANN401 - JSON
    """Return where two forms differ, as paths with both values."""
    if isinstance(own, dict) and isinstance(right, dict):
        names = path.rpartition(".")[2] in _NAMES
        return [
            found
            for key in sorted({*own, *right})
            if names or not path or not key.startswith("x-")
            if names or key in _SAID_WHEN_ZERO or not (_is_nothing(own.get(key)) and _is_nothing(right.get(key)))
            for found in differences(own.get(key, _MISSING), right.get(key, _MISSING), f"{path}.{key}")
        ]
    if isinstance(own, list) and isinstance(right, list) and len(own) == len(right):
        pairs = enumerate(zip(own, right, strict=True))
        return [found for index, pair in pairs for found in differences(*pair, f"{path}[{index}]")]
    same = own == right and isinstance(own, bool) == isinstance(right, bool)
    return [] if same else [f"{path[1:]} is {own!r}, and should be {right!r}"]


def _is_nothing(value: object) -> bool:
    """Whether a value is what its key means without one."""
    return all(map(_is_nothing, value.values())) if isinstance(value, dict) else not value or value == "0"
