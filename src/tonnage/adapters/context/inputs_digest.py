"""What a service's build would read now, as one hash: the same hash means that building again makes the same image.

It covers everything that the builder is given; what a ``RUN`` fetches from the network is not seen.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from tonnage.adapters.context.entries import hash_directory, read_rules
from tonnage.errors import UsageError
from tonnage.lazily import regex
from tonnage.model.inventory import Inputs
from tonnage.sources.dockerfile.base_images import base_reference

if TYPE_CHECKING:
    from tonnage.model.stack import BuildSpec, Service

_REMOTE = regex(r"[a-z][a-z0-9+.-]*://|git@|github\.com/")


def build_inputs(service: Service) -> Inputs:
    """Look at everything that building a service would read.

    Returns:
        The hash, the bytes of the context, and the image that the built stage stands on.

    Raises:
        UsageError: The Dockerfile or the context is missing or cannot be read, or the service is not built.
    """
    spec = service.build
    if spec is None:
        raise UsageError(f"{service.name} has no build section", place=str(service.place or ""))
    place = str(spec.place or service.place or "")
    remote = is_remote(spec.context)
    dockerfile = _dockerfile(spec, place, remote=remote)
    digest = hashlib.sha256()
    settings: dict[str, object] = {
        "dockerfile": dockerfile if dockerfile is not None else spec.dockerfile,
        "args": sorted(spec.args),
        "target": spec.target,
        "labels": sorted(spec.labels),
        "platforms": sorted(spec.platforms),
        "network": spec.network,
        "hosts": sorted(spec.extra_hosts),
        "contexts": sorted(spec.additional_contexts),
    }
    digest.update(repr(settings).encode(errors="surrogatepass"))
    context_bytes = 0
    if remote:
        digest.update(spec.context.encode())
    else:
        context_bytes = hash_directory(spec.context, read_rules(ignored_text(spec)), digest, place)
    for name, value in sorted(spec.additional_contexts):
        if Path(value).is_dir():
            digest.update(f"context {name}".encode())
            rules = read_rules(_text(Path(value, ".dockerignore")))
            context_bytes += hash_directory(value, rules, digest, place)
    base = base_reference(dockerfile or "", dict(spec.args), spec.target, dict(spec.additional_contexts))
    return Inputs(service=service.name, digest=digest.hexdigest(), context_bytes=context_bytes, base_reference=base)


def _dockerfile(spec: BuildSpec, place: str, *, remote: bool) -> str | None:
    """Return the Dockerfile's text; None when it lies where only the builder reaches it."""
    if not remote and not Path(spec.context).is_dir():
        raise UsageError(f"the build context {spec.context} is not a directory", place=place)
    if not spec.dockerfile:
        return spec.dockerfile_inline
    if remote:
        return None
    try:
        return Path(spec.dockerfile).read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError as error:
        raise UsageError(
            f"the Dockerfile {spec.dockerfile} does not exist",
            todo="Write it, or name another one under build.dockerfile.",
            place=place,
        ) from error
    except OSError as error:
        raise UsageError(
            f"the Dockerfile {spec.dockerfile} cannot be read", why=error.strerror or str(error), place=place
        ) from error


def is_remote(context: str) -> bool:
    """Return whether a build context is an address and no directory of this machine."""
    return _REMOTE.match(context) is not None


def ignored_text(spec: BuildSpec) -> str:
    """Return the text that says what is left out: the Dockerfile's own first, else the context's.

    Raises:
        UsageError: It cannot be read.
    """
    own = Path(f"{spec.dockerfile}.dockerignore")
    return _text(own if spec.dockerfile and own.is_file() else Path(spec.context, ".dockerignore"))


def _text(path: Path) -> str:
    """Return a file's text; nothing when there is no such file.

    Raises:
        UsageError: There is something that cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise UsageError(f"{path} cannot be read", why=f"{error.strerror}.") from error
