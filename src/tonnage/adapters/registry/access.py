"""Who the user is to a registry: credentials of the Docker configuration, and the tokens that are had for them.

Source: docs.docker.com/reference/cli/docker/login (``auths``, ``credHelpers``, ``credsStore``), the protocol of
docker-credential-helpers, and the distribution project's token authentication specification.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from msgspec import Struct

from tonnage.addresses import origin_of, same_origin, shown
from tonnage.errors import CannotFetchError
from tonnage.lazily import regex
from tonnage.model.references import OWN_REGISTRY
from tonnage.small_files import SETTINGS, read_text

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from docker.auth import AuthConfig

    from tonnage.adapters.web.client import Web

_PARAMETER = regex(r'\b([a-zA-Z_]++)\s*+=\s*+(?:"((?:[^"\\]|\\.)*+)"|([^\s,"]+))')
_LONGEST_CHALLENGE = 4096
_OK, _TLS_PORT = 200, 443
TOKEN_SERVERS = "TONNAGE_TOKEN_SERVERS"  # noqa: S105 - the name of a setting
_PUBLIC_TOKEN_SERVERS = {
    OWN_REGISTRY: "auth.docker.io",
    "docker.elastic.co": "docker-auth.elastic.co",
    "registry.digitalocean.com": "api.digitalocean.com",
    "registry.gitlab.com": "gitlab.com",
}
"""Public registries that have their tokens given by another server, which may be shown what the user has for them."""


class Credential(Struct, frozen=True):
    """What is shown to a registry: a user with a password, or an identity token."""

    user: str = ""
    password: str = ""
    token: str = ""

    @property
    def basic(self) -> str:
        """The value of an ``Authorization`` header."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


class Credentials:
    """The user's Docker configuration.

    Args:
        environment: ``DOCKER_CONFIG`` or ``HOME`` say where it lies; helpers are started with it.
        helper_within_s: How long a helper is waited for.
    """

    def __init__(self, environment: Mapping[str, str], *, helper_within_s: float = 30.0) -> None:
        self._environment = environment
        self._helper_within_s = helper_within_s
        self._read: AuthConfig | None = None

    def of(self, host: str) -> Credential | None:
        """Return what is shown to a registry; None where the configuration has nothing for it.

        Args:
            host: The registry as names of images have it; Docker's own index by its own name.

        Raises:
            CannotFetchError: The configuration cannot be understood.
        """
        # Importing it takes a tenth of a second, which who has all answers already does not have to wait for.
        from docker.auth import AuthConfig  # noqa: PLC0415
        from docker.errors import DockerException  # noqa: PLC0415

        if self._read is None:
            self._read = self._load()
        written = AuthConfig({"auths": self._read.auths})
        helper = self._read.get_credential_store(host)
        # As for the docker command: without its helper, or an answer of it, there is what the configuration says.
        found = bool(helper) and shutil.which(f"docker-credential-{helper}", path=self._environment.get("PATH"))
        answers: list[AuthConfig | None] = []
        asked = self._read

        def ask() -> None:
            with contextlib.suppress(DockerException, ValueError, LookupError, TypeError):
                answers.append(asked.resolve_authconfig(host))

        if found:
            # The SDK waits for a helper without a limit.
            asking = threading.Thread(target=ask, name="credential-helper", daemon=True)
            asking.start()
            asking.join(self._helper_within_s)
        told = answers[0] if answers else written.resolve_authconfig(host)
        # A helper's answer has capital letters where the configuration has small ones.
        entry = {name.lower(): value for name, value in (told or {}).items()}
        if entry.get("identitytoken"):
            return Credential(token=entry["identitytoken"])
        if entry.get("username"):
            return Credential(entry["username"], entry.get("password", "").rstrip("\0"))
        return None

    def hosts(self) -> tuple[str, ...]:
        """Return the registries that the configuration names; none where it cannot be read."""
        with contextlib.suppress(CannotFetchError):
            told = self._load()
            return (*told.auths, *told.cred_helpers)
        return ()

    def knows(self, host: str) -> bool:
        """Return whether the user has logged in to a registry; no helper is asked.

        Args:
            host: The registry as names of images have it; Docker's own index by its own name.
        """
        wanted = {host, f"index.{host}"} if host == OWN_REGISTRY else {host}
        return not wanted.isdisjoint(each.rpartition("://")[2].partition("/")[0] for each in self.hosts())

    def _load(self) -> AuthConfig:
        from docker.auth import AuthConfig  # noqa: PLC0415
        from docker.errors import DockerException  # noqa: PLC0415

        directory = self._environment.get("DOCKER_CONFIG") or str(Path(self._environment.get("HOME", "/"), ".docker"))
        path = Path(directory, "config.json")
        try:
            text = read_text(path, SETTINGS)
        except FileNotFoundError:
            return AuthConfig({})
        except OSError as error:
            raise _unreadable(path, error.strerror or str(error)) from error
        try:
            told = json.loads(text)
            wanted = {key: told[key] for key in ("auths", "credsStore", "credHelpers") if told.get(key)}
            return AuthConfig.load_config(None, wanted, dict(self._environment)) if wanted else AuthConfig({})
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError, DockerException) as error:
            raise _unreadable(path, str(error)) from error


class Challenge(Struct, frozen=True):
    """What a registry asks for: ``Basic`` or ``Bearer``, with its parameters."""

    scheme: str
    parameters: Mapping[str, str]


def challenge(header: str) -> Challenge | None:
    """Read a ``WWW-Authenticate`` header; None where it asks for something that is not known here.

    Source: RFC 9110, 11.6.1.
    """
    scheme, _, rest = header.strip().partition(" ")
    if scheme.lower() not in {"basic", "bearer"}:
        return None
    found = {
        name.lower(): re.sub(r"\\(.)", r"\1", quoted) if quoted else plain
        for name, quoted, plain in _PARAMETER.findall(rest[:_LONGEST_CHALLENGE])
    }
    return Challenge(scheme.lower(), found)


def token_servers(environment: Mapping[str, str]) -> set[tuple[str, str]]:
    """Return which servers give tokens for which registries, and may be shown what the user has for those."""
    told = (each.partition("=") for each in environment.get(TOKEN_SERVERS, "").split())
    return {*_PUBLIC_TOKEN_SERVERS.items(), *((registry, server) for registry, _, server in told if server)}


def may_be_shown(realm: str, registry: str, name: str, servers: Collection[tuple[str, str]]) -> bool:
    """Tell whether who gives tokens may be shown what the user has for a registry: itself, or a server that is known.

    Args:
        realm: The address that gives tokens.
        registry: The address of the registry.
        name: The registry as names of images have it.
        servers: What :func:`token_servers` returns.
    """
    origin = origin_of(realm)
    if origin is None or same_origin(realm, registry):
        return origin is not None
    scheme, host, port = origin
    return scheme == "https" and (name, host if port == _TLS_PORT else f"{host}:{port}") in servers


def bearer(web: Web, asked: Challenge, scope: str, credential: Credential | None, *, plain: bool) -> str:
    """Return a token for who asks, or for nobody.

    Args:
        credential: What the place that gives tokens may be shown.
        plain: The registry itself is spoken to without TLS.

    Raises:
        CannotFetchError: The place that gives tokens refuses or is not understood.
    """
    realm = asked.parameters.get("realm", "")
    origin = origin_of(realm)
    if origin is None or (origin[0] != "https" and not plain):
        raise CannotFetchError(
            "the registry names no safe place for tokens", "not understood", why=f"It says {shown(realm)!r}."
        )
    web.lead([realm])
    query = {"service": asked.parameters.get("service", ""), "scope": asked.parameters.get("scope") or scope}
    if credential and credential.token:
        form = {**query, "grant_type": "refresh_token", "refresh_token": credential.token, "client_id": "tonnage"}
        reply = web.post(realm, {name: value for name, value in form.items() if value})
    else:
        given = urlencode({name: value for name, value in query.items() if value})
        headers = {"Authorization": credential.basic} if credential else {}
        reply = web.get(f"{realm}{'&' if '?' in realm else '?'}{given}", headers)
    if reply.status != _OK:
        raise CannotFetchError(
            "the registry gives no token",
            "rate limited" if reply.status == 429 else "refused",  # noqa: PLR2004
            why=f"{origin[1]} answered {reply.answer}.",
            todo="Log in again:\n  docker login",
        )
    try:
        told = json.loads(reply.body)
        token = told.get("token") or told["access_token"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CannotFetchError("the registry's token is not understood", "not understood") from error
    if not isinstance(token, str):
        raise CannotFetchError("the registry's token is not understood", "not understood")
    return f"Bearer {token}"


def _unreadable(path: Path, why: str) -> CannotFetchError:
    return CannotFetchError(f"the Docker configuration {path} cannot be read", "not understood", why=why)
