"""How the user's npm reaches registries: addresses and tokens of the environment and of the user's own ``.npmrc``.

No address of a registry stands here, and no ``.npmrc`` of a project is read.

Source: docs.npmjs.com, npmrc and config of npm 10.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct

from tonnage.addresses import origin_of
from tonnage.lazily import regex
from tonnage.small_files import SETTINGS, read_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_VARIABLE = regex(r"(?<!\\)\$\{([^}?]+)(\??)\}")
_SECRETS = ("_authToken", "_auth", "username", "_password")


class NpmSettings(Struct, frozen=True, kw_only=True):
    """Where packages are asked for.

    Args:
        registry: In place of npm's own default; empty without one.
        scopes: The registry of each scope, such as ``@acme``.
        secrets: Pairs of what a header is for, as ``//host/path``, and the header.
    """

    registry: str = ""
    scopes: Mapping[str, str] = {}
    secrets: tuple[tuple[str, str], ...] = ()

    def of(self, name: str) -> str:
        """Return the registry of a package, without a slash at its end; empty where the user names none."""
        return self.scopes.get(name.partition("/")[0] if name.startswith("@") else "", "") or self.registry

    def headers(self, address: str) -> dict[str, str]:
        """Return what identifies the user to a server, over TLS or to this machine alone."""
        parts = urlsplit(address)
        if parts.scheme != "https" and parts.hostname not in {"localhost", "127.0.0.1", "::1"}:
            return {}
        bare = f"//{parts.netloc}{parts.path}"
        found = [(place, header) for place, header in self.secrets if bare.startswith(place)]
        return {"Authorization": max(found)[1]} if found else {}

    def addresses(self) -> tuple[str, ...]:
        """Return every registry that the user named."""
        return tuple(each for each in (self.registry, *self.scopes.values()) if each)


def npm_settings(environment: Mapping[str, str]) -> NpmSettings:
    """Read the settings; what cannot be read is left out."""
    told: dict[str, str] = {}
    for path in _files(environment):
        try:
            text = read_text(path, SETTINGS)
        except (OSError, UnicodeDecodeError):
            continue
        told |= dict(_lines(text, environment))
    for name, value in environment.items():
        if name.lower().startswith("npm_config_") and value:
            told[name[len("npm_config_") :].lower().replace("_", "-")] = value
    places = {name.rpartition(":")[0] for name in told if name.startswith("//")}
    secrets = ((place, _header(told, place)) for place in sorted(places))
    return NpmSettings(
        registry=_registry(told.get("registry", "")),
        scopes={
            name.removesuffix(":registry"): _registry(value)
            for name, value in told.items()
            if name.startswith("@") and name.endswith(":registry") and _registry(value)
        },
        secrets=tuple((place if place.endswith("/") else f"{place}/", header) for place, header in secrets if header),
    )


def _files(environment: Mapping[str, str]) -> Iterator[Path]:
    """Yield the files of settings of the machine and of the user, the weaker first."""
    named = environment.get("NPM_CONFIG_GLOBALCONFIG") or environment.get("npm_config_globalconfig")
    prefix = environment.get("NPM_CONFIG_PREFIX") or environment.get("npm_config_prefix") or environment.get("PREFIX")
    yield Path(named) if named else Path(prefix or "/usr") / "etc" / "npmrc"
    own = environment.get("NPM_CONFIG_USERCONFIG") or environment.get("npm_config_userconfig")
    if own:
        yield Path(own)
    elif environment.get("HOME"):
        yield Path(environment["HOME"]) / ".npmrc"


def _lines(text: str, environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        bare = line.strip()
        if bare and bare[0] not in "#;[":
            name, _, value = bare.partition("=")
            put_in = _VARIABLE.sub(lambda match: environment.get(match[1], ""), value.strip().strip("\"'"))
            yield name.strip(), put_in


def _registry(value: str) -> str:
    return value.rstrip("/") if value.startswith(("http://", "https://")) and origin_of(value) is not None else ""


def _header(told: Mapping[str, str], place: str) -> str:
    token, pair, user, password = (told.get(f"{place}:{name}", "") for name in _SECRETS)
    if any(not each.isprintable() for each in (token, pair, user, password)):
        return ""
    if token:
        return f"Bearer {token}"
    if not pair and user and password:
        try:
            secret = base64.b64decode(password).decode()
        except ValueError:
            return ""
        pair = base64.b64encode(f"{user}:{secret}".encode()).decode("ascii")
    return f"Basic {pair}" if pair else ""
