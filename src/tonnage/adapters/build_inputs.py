"""What a service's build would read now, as one hash: the same hash means that building again makes the same image.

It covers everything that the builder is given; what a ``RUN`` fetches from the network is not seen.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from tonnage.adapters.build_context import hash_directory, read_rules
from tonnage.adapters.dockerfile_text import instructions
from tonnage.errors import UsageError
from tonnage.model.inventory import Inputs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.model.stack import BuildSpec, Service

_REMOTE = re.compile(r"[a-z][a-z0-9+.-]*://|git@|github\.com/")
_NAMED_IMAGE = "docker-image://"
_VARIABLE = re.compile(r"\$(?:(?P<plain>\w+)|\{(?P<name>\w+)(?::?(?P<how>[-+])(?P<word>[^}]*))?\})")


def build_inputs(service: Service) -> Inputs:
    """Look at everything that building a service would read.

    Args:
        service: A service with a build section.

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


def base_reference(
    dockerfile: str, arguments: Mapping[str, str], target: str = "", contexts: Mapping[str, str] | None = None
) -> str:
    """Find the image that the built stage stands on, through the stages below it.

    Args:
        dockerfile: Its text.
        arguments: Build arguments.
        target: The stage that is built, by name or number; empty for the last.
        contexts: Named contexts, which go before stages and images of that name.

    Returns:
        The reference; empty for ``scratch`` and where it cannot be told.
    """
    named = contexts or {}
    values: dict[str, str] = {}
    stages: list[tuple[str, str]] = []
    for instruction in instructions(dockerfile):
        if instruction.keyword == "ARG" and not stages:
            for name, _, default in (word.partition("=") for word in instruction.text.split()):
                values[name] = arguments.get(name, _substituted(default.strip("\"'"), values))
        elif instruction.keyword == "FROM":
            words = [word for word in instruction.text.split() if not word.startswith("--")]
            alias = words[2] if len(words) > 2 and words[1].lower() == "as" else ""  # noqa: PLR2004 - FROM x AS y
            stages.append((_substituted(words[0], values) if words else "", alias.lower()))
    chosen = _stage(stages, target.lower()) if target else len(stages) - 1
    if chosen is None or chosen < 0:
        return ""
    return _below(stages, chosen, named)


def _below(stages: list[tuple[str, str]], index: int, named: Mapping[str, str]) -> str:
    """Follow a stage down to an image."""
    while True:
        reference = stages[index][0]
        if reference in named:
            image = named[reference]
            return image.removeprefix(_NAMED_IMAGE) if image.startswith(_NAMED_IMAGE) else ""
        earlier = next((at for at in reversed(range(index)) if stages[at][1] == reference.lower()), None)
        if earlier is None:
            return "" if reference == "scratch" else reference
        index = earlier


def _stage(stages: list[tuple[str, str]], target: str) -> int | None:
    """Return which stage is meant by a name or a number."""
    for index, (_, alias) in enumerate(stages):
        if alias == target:
            return index
    return int(target) if target.isdecimal() and int(target) < len(stages) else None


def _substituted(text: str, values: Mapping[str, str]) -> str:
    """Put the values of variables into a text, as ``FROM`` allows it."""

    def value(match: re.Match[str]) -> str:
        found = values.get(match["plain"] or match["name"], "")
        if match["how"] == "-":
            return found or match["word"]
        if match["how"] == "+":
            return match["word"] if found else ""
        return found

    return _VARIABLE.sub(value, text)


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

    Args:
        spec: A build whose context is a directory.

    Returns:
        The text; nothing where there is no such file.

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
