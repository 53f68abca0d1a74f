"""One registry spoken to: manifests, blobs, single bytes of blobs; answers become content or a failure of ours.

Source: OCI distribution specification 1.1.
"""

from __future__ import annotations

import ipaddress
import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tonnage.adapters.registry.access import TOKEN_SERVERS, bearer, challenge, may_be_shown
from tonnage.adapters.registry.documents import ACCEPTED, has_digest
from tonnage.addresses import same_origin, shown
from tonnage.errors import CannotFetchError
from tonnage.model.references import OWN_REGISTRY

if TYPE_CHECKING:
    from collections.abc import Collection

    from tonnage.adapters.registry.access import Challenge, Credential, Credentials
    from tonnage.adapters.web.client import Web
    from tonnage.adapters.web.reply import Reply

_OK, _PART, _UNKNOWN_USER, _FORBIDDEN, _NOT_FOUND, _TOO_MANY = 200, 206, 401, 403, 404, 429
# Registries take manifests of at most 4 MiB.
_MOST_DOCUMENT_BYTES = 4 << 20


class RegistryClient:
    """One registry.

    Args:
        host: The registry as names of images have it; Docker's own index by its own name.
        token_servers: Servers that may be shown what the user has for a registry, besides itself.
        insecure: Registries that may be spoken to without TLS, by host, host and port, or network.
        at: Another address that answers for it: a mirror, with its scheme; empty for the registry itself.
    """

    def __init__(
        self,
        web: Web,
        credentials: Credentials,
        host: str,
        *,
        insecure: Collection[str] = (),
        at: str = "",
        token_servers: Collection[tuple[str, str]] = (),
    ) -> None:
        self._web = web
        self._credentials = credentials
        self._host = host
        self._lock = threading.Lock()
        self._allowed: dict[str, str] = {}
        # Importing it takes a tenth of a second, which who has all answers already does not have to wait for.
        from docker.auth import INDEX_URL  # noqa: PLC0415

        mirror = urlsplit(at)
        self._where = mirror.netloc or (urlsplit(INDEX_URL).netloc if host == OWN_REGISTRY else host)
        self._shown = self._where if at else host
        self._scheme = mirror.scheme or ("" if _may_be_plain(self._where, insecure) else "https")
        self._is_mirror = bool(at)
        self._token_servers = token_servers
        self._withheld = ""

    def digest_of(self, repository: str, tag: str) -> str:
        """Return the digest that a tag has now.

        Returns:
            The digest; empty where the registry does not tell it without the manifest.

        Raises:
            CannotFetchError: The registry cannot be reached, refuses, or has no such image.
        """
        reply = self._ask("HEAD", repository, f"manifests/{tag}", {"Accept": ACCEPTED})
        return reply.headers.get("docker-content-digest", "")

    def manifest(self, repository: str, reference: str) -> bytes:
        """Return a manifest or an index.

        Args:
            reference: A tag or a digest.

        Returns:
            What the registry has, checked against the digest.

        Raises:
            CannotFetchError: The registry cannot be reached, refuses, has no such image, or answers something else.
        """
        reply = self._ask("GET", repository, f"manifests/{reference}", {"Accept": ACCEPTED})
        return self._checked(reply, reference, repository)

    def blob(self, repository: str, digest: str) -> bytes:
        """Return a small blob, such as a configuration.

        Returns:
            The blob, checked against the digest.

        Raises:
            CannotFetchError: The registry cannot be reached, refuses, has no such blob, or answers something else.
        """
        return self._checked(self._ask("GET", repository, f"blobs/{digest}", {}), digest, repository)

    def blob_bytes(self, repository: str, digest: str) -> int | None:
        """Return how large a blob is; None where the registry has none of this digest there, or shows none.

        Raises:
            CannotFetchError: The registry cannot be reached, or does not tell.
        """
        try:
            reply = self._ask("HEAD", repository, f"blobs/{digest}", {})
        except CannotFetchError as error:
            # Of a repository that nobody has pushed to yet some say that it may not be seen.
            if error.cause in {"not found", "refused"}:
                return None
            raise
        if reply.length_bytes is None:
            raise CannotFetchError(f"the registry {self._shown} does not tell the size of {digest}", "not understood")
        return reply.length_bytes

    def part(self, repository: str, digest: str, first: int, last: int) -> bytes | None:
        """Return some bytes of a blob; None where the registry gives blobs as a whole only.

        Args:
            first: The first byte, counted from 0; ``last`` is given as well.

        Returns:
            The bytes, as many as were asked for.

        Raises:
            CannotFetchError: The registry cannot be reached, refuses, or has no such blob.
        """
        wanted = last - first + 1
        reply = self._ask("PART", repository, f"blobs/{digest}", {"Range": f"bytes={first}-{last}"}, wanted)
        whole = reply.status == _OK and first == 0
        return reply.body[:wanted] if (reply.status == _PART or whole) and len(reply.body) >= wanted else None

    def _ask(self, method: str, repository: str, path: str, headers: dict[str, str], wanted: int = 0) -> Reply:
        scope = f"repository:{repository}:pull"
        address = f"{self._reached()}/v2/{repository}/{path}"
        reply = self._send(method, address, self._with(headers, scope), wanted)
        if reply.status == _UNKNOWN_USER:
            with self._lock:
                self._allowed.pop(scope, None)
            self._log_in(reply, scope)
            reply = self._send(method, address, self._with(headers, scope), wanted)
        if reply.status in {_OK, _PART}:
            return reply
        raise self._failure(reply, repository, path)

    def _send(self, method: str, address: str, headers: dict[str, str], wanted: int) -> Reply:
        if method == "HEAD":
            return self._web.head(address, headers)
        if method == "PART":
            return self._web.start(address, headers, first_bytes=wanted)
        return self._web.get(address, headers, limit_bytes=_MOST_DOCUMENT_BYTES)

    def _with(self, headers: dict[str, str], scope: str) -> dict[str, str]:
        allowed = self._allowed.get(scope)
        return {**headers, "Authorization": allowed} if allowed else headers

    def _log_in(self, reply: Reply, scope: str) -> None:
        """Do what a registry asks for, once for each repository."""
        with self._lock:
            if scope in self._allowed:
                return
            asked = challenge(reply.headers.get("www-authenticate", ""))
            # What the user has for a registry is not for those who stand in for it.
            name = self._where if self._is_mirror else self._host
            credential = self._credentials.of(name)
            if asked is None or not same_origin(reply.address, self._reached()):
                raise CannotFetchError(
                    f"the registry {self._shown} asks to log in in a way that is not known here", "not understood"
                )
            if asked.scheme == "bearer":
                realm = asked.parameters.get("realm", "")
                if credential and not may_be_shown(realm, self._reached(), name, self._token_servers):
                    credential, self._withheld = None, shown(realm)
                plain = self._reached().startswith("http:")
                self._allowed[scope] = self._token(asked, scope, credential, plain=plain)
            elif credential and credential.user:
                self._allowed[scope] = credential.basic

    def _token(self, asked: Challenge, scope: str, credential: Credential | None, *, plain: bool) -> str:
        """Return a token; a refusal says what was not shown to who gives tokens."""
        try:
            return bearer(self._web, asked, scope, credential, plain=plain)
        except CannotFetchError as error:
            if error.cause != "refused" or not self._withheld:
                raise
            why, todo = self._unshown()
            raise CannotFetchError(error.what, error.cause, why=f"{error.why} {why}", todo=todo) from error

    def _unshown(self) -> tuple[str, str]:
        """Say that another server wanted to see what the user has for this registry, and how that is allowed."""
        server = urlsplit(self._withheld).netloc
        why = f"It has its tokens given by {self._withheld}, another server, which was not shown what you log in with."
        return why, f"Where that server belongs to the registry, set\n  {TOKEN_SERVERS}={self._host}={server}"

    def _reached(self) -> str:
        """Return the address of the registry; one that may be spoken to without TLS is asked which it speaks."""
        if not self._scheme:
            self._scheme = "https" if self._web.answers(f"https://{self._where}/v2/") else "http"
        return f"{self._scheme}://{self._where}"

    def _checked(self, reply: Reply, reference: str, repository: str) -> bytes:
        if ":" in reference and not has_digest(reply.body, reference):
            raise CannotFetchError(
                f"the registry {self._shown} gives something else than {reference} of {repository}", "not understood"
            )
        return reply.body

    def _failure(self, reply: Reply, repository: str, path: str) -> CannotFetchError:
        kind, _, reference = path.partition("/")
        joined = f"{repository}{'@' if ':' in reference else ':'}{reference}"
        there = f"{joined} in the registry {self._shown}"
        why = f"The registry answered {reply.answer}."
        if reply.status == _NOT_FOUND:
            what = f"there is no image {there}" if kind == "manifests" else f"there is no blob {there}"
            return CannotFetchError(what, "not found", why=why, todo="Correct its name and tag.")
        if reply.status in {_UNKNOWN_USER, _FORBIDDEN} and self._withheld:
            told, todo = self._unshown()
            what = f"the registry {self._shown} does not show {joined}"
            return CannotFetchError(what, "refused", why=f"{why} {told}", todo=todo)
        if reply.status in {_UNKNOWN_USER, _FORBIDDEN}:
            return CannotFetchError(
                f"the registry {self._shown} does not show {joined}",
                "refused",
                why=f"{why} There is no such repository, or one has to log in for it.",
                todo=f"Log in:\n  docker login{'' if self._host == OWN_REGISTRY else f' {self._host}'}",
            )
        if reply.status == _TOO_MANY:
            return CannotFetchError(
                f"the registry {self._shown} was asked too often",
                "rate limited",
                why=why,
                todo="Log in, which allows more, or wait:\n  docker login",
            )
        return CannotFetchError(f"the registry {self._shown} does not give {joined}", "unreachable", why=why)


def _may_be_plain(where: str, insecure: Collection[str]) -> bool:
    """Tell whether a registry may be spoken to without TLS: this machine's, and what the engine was told.

    Source: moby 28, ``registry/config.go``: 127.0.0.0/8 and ::1 are always insecure.
    """
    host = urlsplit(f"//{where}").hostname or ""
    if host == "localhost" or where in insecure or host in insecure:
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    if address.is_loopback:
        return True
    for entry in insecure:
        try:
            if address in ipaddress.ip_network(entry, strict=False):
                return True
        except ValueError:
            continue
    return False
