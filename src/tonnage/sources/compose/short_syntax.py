"""Short syntax of compose files: ports, mounts, devices, secrets, build, extends and the like, turned into mappings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.errors import UsageError
from tonnage.lazily import regex
from tonnage.sources.compose.nodes import ComposeNode, wrong
from tonnage.sources.compose.scalars import as_text
from tonnage.units import told_count

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_PORT = regex(
    r"(?:(?P<ip>\[[0-9A-Fa-f:.]*\]|[0-9]{1,9}(?:\.[0-9]{1,9}){3}|localhost):)?"
    r"(?:(?P<published>[0-9]{1,9}(?:-[0-9]{1,9})?)?:)?(?P<target>[0-9]{1,9}(?:-[0-9]{1,9})?)(?:/(?P<protocol>[a-z]+))?"
)
_PROPAGATIONS = {"private", "rprivate", "shared", "rshared", "slave", "rslave"}
_HIGHEST_PORT = 65535


def _written(written: ComposeNode, **values: object) -> dict[str, ComposeNode]:
    return {key: ComposeNode(value, written.place) for key, value in values.items() if value is not None}


def is_remote(context: str) -> bool:
    """Return whether a build context is fetched by the builder rather than read from a directory."""
    return "://" in context or context.startswith(("git@", "github.com/"))


def names_a_context(value: str) -> bool:
    """Return whether an additional context is something else than a directory."""
    return is_remote(value) or value.startswith(("service:", "target:", "docker-image:", "oci-layout:"))


def short(key: str) -> Callable[[ComposeNode, str], dict[str, ComposeNode] | None]:
    """Return what makes a mapping of text alone: the text stands at ``key`` then."""
    return lambda written, _name: _written(written, **{key: written.value}) if isinstance(written.value, str) else None


def short_host(written: ComposeNode, name: str) -> list[ComposeNode]:  # noqa: ARG001 - as Distinct.short
    """Return ``HOST:ADDRESS`` as ``HOST=ADDRESS``."""
    if isinstance(written.value, str) and "=" not in written.value:
        return [ComposeNode(written.value.replace(":", "=", 1), written.place)]
    return [written]


def short_gpus(written: ComposeNode, name: str) -> list[ComposeNode]:  # noqa: ARG001 - as Distinct.short
    """Return ``gpus: all`` as a device request."""
    if written.value == "all":
        return [ComposeNode(_written(written, count=-1), written.place)]
    return [written]


def short_device(written: ComposeNode, name: str) -> dict[str, ComposeNode] | None:  # noqa: ARG001 - as Fields.short
    """Return ``SOURCE[:TARGET[:PERMISSIONS]]`` as a mapping."""
    if not isinstance(written.value, str):
        return None
    source, _, rest = written.value.partition(":")
    target, _, permissions = rest.partition(":")
    return _written(written, source=source, target=target or source, permissions=permissions or "rwm")


def short_volume(written: ComposeNode, name: str) -> dict[str, ComposeNode] | None:
    """Return ``[SOURCE:]TARGET[:OPTIONS]`` as a mapping.

    Raises:
        UsageError: It is empty or has too many parts.
    """
    if not isinstance(written.value, str):
        return None
    parts = written.value.split(":")
    if not all(parts) or len(parts) > 3:  # noqa: PLR2004 - source, target and options
        raise UsageError(
            f"{name}: {written.value!r} is no mount",
            todo="Write it as SOURCE:TARGET or SOURCE:TARGET:ro.",
            place=str(written.place),
        )
    if len(parts) == 1:
        return _written(written, type="volume", target=_clean(parts[0]), volume={})
    options = set(parts[2].split(",")) if len(parts) > 2 else set()  # noqa: PLR2004
    read_only = True if "ro" in options else None
    if parts[0][0] in "./~":
        bind = _written(
            written,
            create_host_path=True,
            propagation=next(iter(sorted(options & _PROPAGATIONS)), None),
            selinux=next(iter(sorted(options & {"z", "Z"})), None),
        )
        return _written(written, type="bind", source=parts[0], target=_clean(parts[1]), read_only=read_only, bind=bind)
    volume = _written(written, nocopy=True if "nocopy" in options else None)
    return _written(
        written, type="volume", source=parts[0], target=_clean(parts[1]), read_only=read_only, volume=volume
    )


def _clean(target: str) -> str:
    return target.rstrip("/") or "/"


def short_port(written: ComposeNode, name: str) -> list[ComposeNode]:
    """Return one published port, or one for each port of a range, as mappings.

    Raises:
        UsageError: It is no port.
    """
    if isinstance(written.value, dict):
        return [written]
    if isinstance(written.value, bool) or not isinstance(written.value, str | int):
        raise wrong(written, name, "a port such as 8080:80")
    text = as_text(written.value)
    match = _PORT.fullmatch(text)
    if match is None:
        raise UsageError(
            f"{name}: {text!r} is no port",
            todo="Write it as 80, 8080:80, 127.0.0.1:8080:80 or 8080:80/udp.",
            place=str(written.place),
        )
    targets = _range(match["target"], written, name)
    published: list[str | None] = [None] * len(targets)
    if match["published"]:
        outside = _range(match["published"], written, name)
        if len(targets) == 1 and len(outside) > 1:
            published = [match["published"]]
        elif len(outside) == len(targets):
            published = [str(port) for port in outside]
        else:
            raise UsageError(
                f"{name}: the ranges in {text!r} differ in length",
                why=f"{len(outside)} published ports stand against {len(targets)} of the container.",
                place=str(written.place),
            )
    host_ip = match["ip"].strip("[]") if match["ip"] else None
    return [
        ComposeNode(
            _written(
                written,
                mode="ingress",
                host_ip=host_ip,
                target=target,
                published=port,
                protocol=match["protocol"] or "tcp",
            ),
            written.place,
        )
        for target, port in zip(targets, published, strict=True)
    ]


def _range(text: str, written: ComposeNode, name: str) -> list[int]:
    first, _, last = text.partition("-")
    low, high = told_count(first), told_count(last or first)
    if low is None or high is None or not 0 < low <= high <= _HIGHEST_PORT:
        raise UsageError(
            f"{name}: {text[:60]} is no port", why=f"Ports go from 1 to {_HIGHEST_PORT}.", place=str(written.place)
        )
    return list(range(low, high + 1))


def _field(entry: ComposeNode, key: str, default: object = "") -> object:
    found: Mapping[str, ComposeNode] = entry.value if isinstance(entry.value, dict) else {}
    return found[key].value if key in found and found[key].value is not None else default


def port_key(entry: ComposeNode) -> str:
    """Return what makes a published port unique."""
    return (
        f"{_field(entry, 'host_ip')}:{_field(entry, 'published')}"
        f":{_field(entry, 'target')}/{_field(entry, 'protocol', 'tcp')}"
    )


def target_key(entry: ComposeNode) -> str:
    """Return what makes a mount or a device unique: its path in the container."""
    return str(_field(entry, "target") or _field(entry, "source"))


def secret_key(entry: ComposeNode) -> str:
    """Return what makes a secret or config of a service unique: where it is mounted."""
    return target_key(entry).removeprefix("/run/secrets/")


def path_key(entry: ComposeNode) -> str:
    """Return what makes a file of variables unique: its path."""
    return str(_field(entry, "path"))


def tmpfs_key(entry: ComposeNode) -> str:
    """Return what makes a tmpfs unique: its path, without the options."""
    return str(entry.value).partition(":")[0]
