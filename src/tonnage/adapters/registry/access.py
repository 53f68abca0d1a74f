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
from urllib.parse import urlencode, urlsplit

from msgspec import Struct

from tonnage.errors import CannotFetchError
from tonnage.lazily import regex

if TYPE_CHECKING:
    from collections.abc import Mapping

    from docker.auth import AuthConfig

    from tonnage.adapters.web.client import Web

_PARAMETER = regex(r'([a-zA-Z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_OK = 200


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

    def _load(self) -> AuthConfig:
        from docker.auth import AuthConfig  # noqa: PLC0415
        from docker.errors import DockerException  # noqa: PLC0415

        directory = self._environment.get("DOCKER_CONFIG") or str(Path(self._environment.get("HOME", "/"), ".docker"))
        path = Path(directory, "config.json")
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return AuthConfig({})
        except OSError as error:
            raise _unreadable(path, error.strerror or str(error)) from error
        try:
            told = json.loads(text)
            wanted = {key: told[key] for key in ("auths", "credsStore", "credHelpers") if told.get(key)}
            return AuthConfig.load_config(None, wanted, dict(self._environment)) if wanted else AuthConfig({})
        except (ValueError, TypeError, AttributeError, KeyError, DockerException) as error:
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
        for name, quoted, plain in _PARAMETER.findall(rest)
    }
    return Challenge(scheme.lower(), found)


def bearer(web: Web, asked: Challenge, scope: str, credential: Credential | None, *, plain: bool) -> str:
    """Return a token for who asks, or for nobody.

    Raises:
        CannotFetchError: The place that gives tokens refuses or is not understood.
    """
    realm = asked.parameters.get("realm", "")
    if urlsplit(realm).scheme != "https" and not (plain and urlsplit(realm).scheme == "http"):
        raise CannotFetchError(
            "the registry names no safe place for tokens", "not understood", why=f"It says {realm!r}."
        )
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
            why=f"{urlsplit(realm).netloc} answered {reply.answer}.",
            todo="Log in again:\n  docker login",
        )
    try:
        told = json.loads(reply.body)
        token = told.get("token") or told["access_token"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CannotFetchError("the registry's token is not understood", "not understood") from error
    return f"Bearer {token}"


def _unreadable(path: Path, why: str) -> CannotFetchError:
    return CannotFetchError(f"the Docker configuration {path} cannot be read", "not understood", why=why)
