"""Dockerfiles: their texts, and what they ask for from outside: build arguments, and images that they are built from.

A Dockerfile that is a link is followed as builders do: within the context, or within the directory that it lies in
where that is another one.

Source: ``loadInputs`` of buildx, which sends that directory as a context of its own; moby, issue 32041.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from tonnage.small_files import DOCKERFILE, IGNORED, UnfitFileError, as_text, is_below, read_bytes_in
from tonnage.sources.compose.files import HERE
from tonnage.sources.dockerfile.base_images import images_in, instructions

if TYPE_CHECKING:
    from tonnage.model.stack import BuildSpec, Service
    from tonnage.sources.compose.files import Files


def dockerfile_text(spec: BuildSpec) -> str:
    """Return the text of the Dockerfile of a context that is a directory; bytes that are no UTF-8 are kept apart.

    Raises:
        UnfitFileError: It is none that is read, or leads out of what the builder is sent; ``strerror`` says why.
        OSError: It is not there, or cannot be read.
    """
    if not spec.dockerfile:
        return spec.dockerfile_inline
    root, name = _root(spec)
    try:
        return as_text(read_bytes_in(root, name, DOCKERFILE), errors="surrogateescape")
    except FileNotFoundError:
        if os.path.islink(spec.dockerfile):  # noqa: PTH114 - a path as text
            why = f"It is a link to nothing in {root}, and the builder is sent no more than that"
            raise UnfitFileError(errno.EINVAL, why, spec.dockerfile) from None
        raise


def ignored_text(spec: BuildSpec) -> tuple[str, str]:
    """Return what says what is left out of a context, and where it lies: beside the Dockerfile, else in the context.

    Raises:
        OSError: It is there, and cannot be read.
    """
    places = [(spec.context, ".dockerignore")]
    if spec.dockerfile:
        root, name = _root(spec)
        places.insert(0, (root, f"{name}.dockerignore"))
    for root, name in places:
        try:
            return as_text(read_bytes_in(root, name, IGNORED), errors="surrogateescape"), f"{root}/{name}"
        except (FileNotFoundError, NotADirectoryError):
            continue
    return "", ""


def _root(spec: BuildSpec) -> tuple[str, str]:
    """Return the directory that the builder is sent the Dockerfile in, and the Dockerfile's path in it."""
    if is_below(spec.dockerfile, spec.context):
        return spec.context, spec.dockerfile[len(spec.context) :].lstrip("/")
    directory, _, name = spec.dockerfile.rpartition("/")
    return directory or "/", name


def declared_arguments(spec: BuildSpec) -> dict[str, str | None]:
    """Return what a build's Dockerfile declares with ``ARG``.

    Returns:
        Default by name, None where there is none; nothing for a Dockerfile that cannot be read here: whoever needs it
        says so.
    """
    try:
        text = dockerfile_text(spec)
    except OSError:
        return {}
    found: dict[str, str | None] = {}
    for instruction in instructions(text):
        if instruction.keyword != "ARG":
            continue
        for word in instruction.text.split():
            name, has_default, default = word.partition("=")
            # A stage that declares a global argument once more takes over its default.
            found[name] = default if has_default else found.get(name)
    return found


def images_needed(service: Service, where: Files = HERE) -> tuple[str, ...]:
    """Return the images that a service needs from outside.

    Args:
        service: The service. Without a build it needs its own image.
        where: The machine that its Dockerfile is on.

    Returns:
        References in the order of their first use, as they are written; nothing for what cannot be read here.
    """
    spec = service.build
    if spec is None:
        return (service.image,)
    try:
        if where is HERE or not spec.dockerfile:
            text = dockerfile_text(spec)
        else:
            text = where.read(spec.dockerfile, DOCKERFILE).decode(errors="replace")
    except OSError:
        return ()
    return images_in(text, dict(spec.args), dict(spec.additional_contexts))
