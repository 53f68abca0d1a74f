"""What registries answer, as data: manifests, indexes, configurations. Pure: bytes in, values out.

Source: OCI image specification 1.1 (manifest, index, config), and "Image Manifest Version 2, Schema 2" of the
distribution project.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.errors import CannotFetchError
from tonnage.model.forecast.recipe import BaseConfig
from tonnage.units import told_count

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
ACCEPTED = f"{OCI_INDEX}, {DOCKER_LIST}, {OCI_MANIFEST}, {DOCKER_MANIFEST}"

# Of arm there are eight, of amd64 four.
_NEWEST_VARIANT = 99


class Blob(Struct, frozen=True, kw_only=True):
    """One layer or configuration as a manifest names it.

    Args:
        size_bytes: Its bytes in the registry; None where what the manifest tells is no size.
        media_type: Its type.
        told_bytes: Uncompressed bytes that its annotations tell; None where they do not.
    """

    digest: str
    size_bytes: int | None
    media_type: str
    told_bytes: int | None = None


class Manifest(Struct, frozen=True, kw_only=True):
    """One image for one platform."""

    config: Blob
    layers: tuple[Blob, ...]


class Variant(Struct, frozen=True, kw_only=True):
    """One entry of an index: the digest of the manifest for a platform."""

    digest: str
    platform: str


class ImageConfig(Struct, frozen=True, kw_only=True):
    """The configuration of an image.

    Args:
        platform: Such as ``linux/arm64/v8``.
        diff_ids: Of its layers, lowest first.
        base: What it gives to what stands on it.
        history: What made it, oldest first.
    """

    platform: str
    diff_ids: tuple[str, ...]
    base: BaseConfig
    labels: Mapping[str, str]
    history: tuple[str, ...]


def has_digest(content: bytes, digest: str) -> bool:
    """Return whether a digest is that of a content; one of an unknown kind is not."""
    kind, _, wanted = digest.partition(":")
    return kind in {"sha256", "sha512"} and hashlib.new(kind, content).hexdigest() == wanted


def manifest_or_index(content: bytes, what: str) -> Manifest | tuple[Variant, ...]:
    """Read what a registry answers for a tag or a digest.

    Raises:
        CannotFetchError: It is neither.
    """
    try:
        told = json.loads(content)
        if told.get("schemaVersion") == 1:
            raise CannotFetchError(
                f"the manifest of {what} is of the first kind, which tells no sizes",
                "not understood",
                todo="Push the image again with a current engine.",
            )
        if "manifests" in told:
            return tuple(_variant(each) for each in told["manifests"] if _is_image(each))
        return Manifest(config=_blob(told["config"]), layers=tuple(_blob(each) for each in told["layers"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CannotFetchError(
            f"the manifest of {what} is not understood", "not understood", why=repr(error)
        ) from error


def configuration(content: bytes, what: str) -> ImageConfig:
    """Return the configuration of an image.

    Raises:
        CannotFetchError: It is none.
    """
    try:
        told = json.loads(content)
        inner = told.get("config") or {}
        variant = told.get("variant") or ""
        return ImageConfig(
            platform="/".join(filter(None, (told.get("os", "linux"), told.get("architecture", ""), variant))),
            diff_ids=tuple(map(str, told["rootfs"]["diff_ids"])),
            base=base_config(inner),
            labels={str(name): str(value) for name, value in (inner.get("Labels") or {}).items()},
            history=tuple(str(each.get("created_by") or "") for each in told.get("history") or ()),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CannotFetchError(
            f"the configuration of {what} is not understood", "not understood", why=repr(error)
        ) from error


def base_config(told: Mapping[str, object]) -> BaseConfig:
    """Return what an image gives to what stands on it; an engine tells it in the same form.

    Args:
        told: The object ``config`` of an image's configuration, or ``ImageConfig`` of what an engine tells.
    """
    return BaseConfig(
        environment=dict(str(each).partition("=")[::2] for each in _several(told.get("Env"))),
        working_directory=str(told.get("WorkingDir") or ""),
        user=str(told.get("User") or ""),
        shell=tuple(map(str, _several(told.get("Shell")))),
        onbuild=tuple(map(str, _several(told.get("OnBuild")))),
        volumes=tuple(map(str, _named(told.get("Volumes")))),
    )


def chosen(variants: Sequence[Variant], platform: str) -> Variant | None:
    """Choose from an index what an engine would take for a platform; None when there is nothing for it.

    Source: containerd 1.7, ``platforms/compare.go``: an older arm runs on a newer one, never the other way round.
    """
    for wanted in _acceptable(platform):
        for variant in variants:
            if _normal(variant.platform) == wanted:
                return variant
    return None


def platform_matches(there: str, wanted: str) -> bool:
    """Tell whether what is made for one platform, ``there``, runs on another, ``wanted``."""
    return _normal(there) in _acceptable(wanted)


def _acceptable(platform: str) -> tuple[str, ...]:
    normal = _normal(platform)
    system, _, rest = normal.partition("/")
    architecture, _, variant = rest.partition("/")
    newest = told_count(variant.removeprefix("v"))
    if newest is None or newest > _NEWEST_VARIANT:
        return (normal,)
    if architecture == "arm":
        return tuple(f"{system}/arm/v{number}" for number in range(newest, 4, -1))
    if architecture == "amd64":
        return (*(f"{system}/amd64/v{number}" for number in range(newest, 1, -1)), f"{system}/amd64")
    return (normal,)


def _normal(platform: str) -> str:
    """Return a platform with the names that indexes use: no variant where it is the usual one."""
    system, _, rest = platform.lower().partition("/")
    architecture, _, variant = rest.partition("/")
    architecture = {"x86_64": "amd64", "aarch64": "arm64", "armhf": "arm", "i386": "386"}.get(
        architecture, architecture
    )
    if architecture == "arm" and variant in {"", "7", "6", "5"}:
        variant = f"v{variant or 7}"
    if (architecture, variant) in {("arm64", "v8"), ("arm64", "8"), ("amd64", "v1")}:
        variant = ""
    return "/".join(filter(None, (system, architecture, variant)))


def _several(told: object) -> list[object]:
    return list(told) if isinstance(told, list) else []


def _named(told: object) -> list[object]:
    return list(told) if isinstance(told, dict) else []


def _is_image(entry: Mapping[str, object]) -> bool:
    """Tell images from what builders attach to them: attestations have an unknown platform."""
    platform = entry.get("platform")
    return isinstance(platform, dict) and platform.get("os") != "unknown" and "architecture" in platform


def _variant(entry: Mapping[str, object]) -> Variant:
    platform = entry["platform"]
    if not isinstance(platform, dict):
        raise TypeError("platform")
    parts = (platform.get("os"), platform.get("architecture"), platform.get("variant"))
    return Variant(digest=str(entry["digest"]), platform="/".join(str(part) for part in parts if part))


def _blob(entry: Mapping[str, object]) -> Blob:
    annotations = entry.get("annotations")
    told = annotations.get("io.containers.estargz.uncompressed-size") if isinstance(annotations, dict) else None
    return Blob(
        digest=str(entry["digest"]),
        size_bytes=told_count(entry["size"]) if isinstance(entry["size"], int) else None,
        media_type=str(entry.get("mediaType") or ""),
        told_bytes=told_count(told) if isinstance(told, str) else None,
    )
