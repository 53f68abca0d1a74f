"""What a service's build would read now, as one hash: the same hash means that building again makes the same image.

It covers everything that the builder is given; what a ``RUN`` fetches from the network is not seen.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from tonnage.adapters.context.dockerfiles import dockerfile_text, ignored_text
from tonnage.adapters.context.entries import IgnoreRules, hash_directory
from tonnage.errors import UsageError
from tonnage.lazily import regex
from tonnage.model.inventory import Inputs
from tonnage.model.stack import BuildSpec
from tonnage.sources.dockerfile.base_images import base_reference

if TYPE_CHECKING:
    from tonnage.model.stack import Service

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
    # What projects say that say nothing of it stays as it was, so that none of their images is built anew.
    settings |= spec.attestations
    digest.update(repr(settings).encode(errors="surrogatepass"))
    context_bytes = 0
    if remote:
        digest.update(spec.context.encode())
    else:
        context_bytes = hash_directory(spec.context, rules_of(spec), digest, place)
    for name, value in sorted(spec.additional_contexts):
        if Path(value).is_dir():
            digest.update(f"context {name}".encode())
            context_bytes += hash_directory(value, rules_of(BuildSpec(context=value)), digest, place)
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
        return dockerfile_text(spec)
    except FileNotFoundError as error:
        raise UsageError(
            f"the Dockerfile {spec.dockerfile} does not exist",
            todo="Write it, or name another one under build.dockerfile.",
            place=place,
        ) from error
    except OSError as error:
        raise UsageError(
            f"the Dockerfile {spec.dockerfile} cannot be read", why=f"{error.strerror or error}.", place=place
        ) from error


def is_remote(context: str) -> bool:
    """Return whether a build context is an address and no directory of this machine."""
    return _REMOTE.match(context) is not None


def rules_of(spec: BuildSpec) -> IgnoreRules:
    """Return what is left out of the context of a build.

    Raises:
        UsageError: What says so cannot be read.
    """
    try:
        return IgnoreRules(*ignored_text(spec))
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be read", why=f"{error.strerror}.") from error
