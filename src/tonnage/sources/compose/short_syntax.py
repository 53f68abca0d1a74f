"""Short syntax of compose files: ports, mounts, devices, secrets, build, extends and the like, turned into mappings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.errors import UsageError
from tonnage.lazily import regex
from tonnage.sources.compose.nodes import ComposeNode, wrong
from tonnage.sources.compose.scalars import as_text, clean
from tonnage.units import told_count

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tonnage.model.stack import Place

_DRIVE = regex(r"[^\W\d_]:")
_SIGNS = regex(r"\$\{|[}:]")
_BRACKETS = regex(r"\[.+\]")
_PROTOCOLS = {"tcp", "udp", "sctp"}
_FETCHED = regex(r"oci://|git://|ssh://|github\.com/|[^/\s@]+@[^/\s:]+:(?!//)|(?i:https?)://[^#]*\.git(?:#|$)")
_PROPAGATIONS = {"private", "rprivate", "shared", "rshared", "slave", "rslave"}
_HIGHEST_PORT = 65535


def _written(written: ComposeNode, **values: object) -> dict[str, ComposeNode]:
    return {key: ComposeNode(value, written.place) for key, value in values.items() if value is not None}


def is_remote(context: str) -> bool:
    """Return whether a build context is fetched by the builder rather than read from a directory."""
    return "://" in context or context.startswith(("git@", "github.com/"))


def is_fetched(file: str) -> bool:
    """Return whether a file to include or extend is in a repository or a registry: Compose gets it from there.

    Source: ParseGitRef of BuildKit, and the loaders of docker/compose, package remote.
    """
    return _FETCHED.match(file) is not None


def refuse_fetched(file: str, place: Place) -> None:
    """Refuse a file that would have to be fetched.

    Raises:
        UsageError: It is in a repository or a registry.
    """
    if not is_fetched(file):
        return
    kind, name = ("registry", "OCI") if file.startswith("oci:") else ("repository", "GIT")
    raise UsageError(
        f"the file {file} is in a {kind}, and nothing is fetched to read a stack",
        why=f"Compose v2 fetches it where it is installed and COMPOSE_EXPERIMENTAL_{name}_REMOTE allows it.",
        todo=f"Get a copy and name that, or allow it:\n  export COMPOSE_EXPERIMENTAL_{name}_REMOTE=true",
        place=str(place),
        expected="a file of this machine has to be named here",
    )


def stays(context: str) -> bool:
    """Return whether the place of a build is kept as it is written."""
    return not context or is_remote(context) or context.startswith("service:")


def names_a_context(value: str) -> bool:
    """Return whether an additional context is something else than a directory."""
    return is_remote(value) or value.startswith(("service:", "target:", "docker-image:", "oci-layout:"))


def short(key: str) -> Callable[[ComposeNode, str], dict[str, ComposeNode] | None]:
    """Return what makes a mapping of text alone: the text stands at ``key`` then."""
    return lambda written, _name: _written(written, **{key: written.value}) if isinstance(written.value, str) else None


def short_host(written: ComposeNode, name: str) -> list[ComposeNode]:
    """Return ``HOST:ADDRESS,ADDRESS`` as a ``HOST=ADDRESS`` for each address, without the brackets of IPv6.

    Raises:
        UsageError: The host or the address is missing.
    """
    if not isinstance(written.value, str):
        return [written]
    host, addresses = _host(written, name)
    return [ComposeNode(f"{host}={_without_brackets(each)}", written.place) for each in addresses.split(",")]


def paired_host(written: ComposeNode, name: str) -> list[ComposeNode]:
    """Return ``HOST=ADDRESS`` of a mapping, in which Compose takes whatever stands there for one address.

    Raises:
        UsageError: The host or the address is missing.
    """
    host, address = _host(written, name)
    return [ComposeNode(f"{host}={_without_brackets(address)}", written.place)]


def _host(written: ComposeNode, name: str) -> tuple[str, str]:
    text = str(written.value)
    host, sign, rest = text.partition("=" if "=" in text else ":")
    if not sign or not host or ":" in host:
        raise UsageError(
            f"{name}: {text!r} names no host with its address",
            todo="Write it as HOST=ADDRESS.",
            place=str(written.place),
        )
    return host, rest


def _without_brackets(address: str) -> str:
    return address[1:-1] if _BRACKETS.fullmatch(address) else address


def short_ssh(written: ComposeNode, name: str) -> list[ComposeNode]:
    """Return an entry of a list as it is: ``default``, or ``NAME=PATH``. In a mapping a name alone may stand.

    Raises:
        UsageError: It is neither.
    """
    if isinstance(written.value, str) and written.value != "default" and "=" not in written.value:
        raise wrong(written, name, "text such as default or NAME=PATH")
    return [written]


def short_device(written: ComposeNode, name: str) -> dict[str, ComposeNode] | None:
    """Return ``SOURCE[:TARGET[:PERMISSIONS]]`` as a mapping.

    Raises:
        UsageError: It has more parts.
    """
    if not isinstance(written.value, str):
        return None
    parts = written.value.split(":")
    if len(parts) > 3:  # noqa: PLR2004 - source, target and permissions
        raise UsageError(
            f"{name}: {written.value!r} is not a device",
            todo="Write it as SOURCE, SOURCE:TARGET or SOURCE:TARGET:rwm.",
            place=str(written.place),
        )
    source, target, permissions = (*parts, *("", "", "rwm")[len(parts) :])
    return _written(written, source=source, target=target or source, permissions=permissions or None)


def short_volume(written: ComposeNode, name: str) -> dict[str, ComposeNode] | None:
    """Return ``[SOURCE:]TARGET[:OPTIONS]`` as a mapping; a letter before a colon is a drive of Windows.

    Source: compose-go, package format.

    Raises:
        UsageError: It is empty or has too many parts.
    """
    if not isinstance(written.value, str):
        return None
    text = written.value
    if len(text.encode("utf-8", "surrogatepass")) in {1, 2}:
        # Too short for two parts.
        return _written(written, type="volume", target=clean(text))
    parts = _sections(text)
    if not all(parts) or len(parts) > 3:  # noqa: PLR2004 - source, target and options
        raise UsageError(
            f"{name}: {written.value!r} is not a mount",
            todo="Write it as SOURCE:TARGET or SOURCE:TARGET:ro.",
            place=str(written.place),
        )
    if len(parts) == 1:
        return _written(written, type="volume", target=clean(parts[0]), volume={})
    options = parts[2].split(",") if len(parts) > 2 else []  # noqa: PLR2004
    access = [option for option in options if option in {"ro", "rw"}]
    is_path = parts[0][0] in "./~" or parts[0].startswith("\\\\") or _DRIVE.match(parts[0]) is not None
    bind = {
        "create_host_path": True if is_path else None,
        "propagation": next((option for option in reversed(options) if option in _PROPAGATIONS), None),
        "selinux": next((option for option in reversed(options) if option in {"z", "Z"}), None),
    }
    nocopy = True if "nocopy" in options else None
    return _written(
        written,
        type="bind" if is_path else "volume",
        source=parts[0],
        target=clean(parts[1]),
        read_only=True if access[-1:] == ["ro"] else None,
        bind=_written(written, **bind) if any(bind.values()) else None,
        volume=_written(written, nocopy=nocopy) if nocopy or not is_path else None,
    )


def _sections(text: str) -> list[str]:
    """Return what stands between colons, but for those of drives and of what looks like a variable."""
    sections, start, depth = [], 0, 0
    for sign in _SIGNS.finditer(text):
        if sign[0] == "${":
            depth += 1
        elif sign[0] == "}":
            depth = max(0, depth - 1)
        elif not depth and not _DRIVE.fullmatch(text, start, sign.end()):
            sections.append(text[start : sign.start()])
            start = sign.end()
    if depth:
        # What stands behind a brace that is not closed belongs to nothing.
        return sections if len(sections) > 1 else [""]
    return [*sections, text[start:]]


def short_port(written: ComposeNode, name: str) -> list[ComposeNode]:
    """Return one published port, or one for each port of a range, as mappings.

    Source: docker/go-connections, package nat.

    Raises:
        UsageError: It is no port.
    """
    if isinstance(written.value, dict):
        return [written]
    if isinstance(written.value, bool) or not isinstance(written.value, str | int):
        raise wrong(written, name, "a port such as 8080:80")
    text = as_text(written.value)
    *address, published, wanted = ["", "", *text.split(":")][-max(3, text.count(":") + 1) :]
    target, _, protocol = wanted.partition("/")
    protocol = protocol.partition("/")[0].lower() or "tcp"
    inside, outside = _range(target), _range(published) if published else (0, 0)
    host_ip = _address(":".join(address))
    if inside is None or not inside[0] or outside is None or host_ip is None or protocol not in _PROTOCOLS:
        raise UsageError(
            f"{name}: {text!r} is not a port",
            why=f"Ports go from 1 to {_HIGHEST_PORT}, with an address before them and a protocol behind them, if any.",
            todo="Write it as 80, 8080:80, 127.0.0.1:8080:80 or 8080:80/udp.",
            place=str(written.place),
        )
    count, more = inside[1] - inside[0], outside[1] - outside[0]
    if published and count and count != more:
        raise UsageError(
            f"{name}: the ranges in {text!r} differ in length",
            why=f"{more + 1} published ports stand against {count + 1} of the container.",
            place=str(written.place),
        )
    last = f"-{outside[1]}" if more and not count else ""
    return [
        ComposeNode(
            _written(
                written,
                mode="ingress",
                host_ip=host_ip or None,
                target=inside[0] + number,
                published=f"{outside[0] + number}{last}" if published else None,
                protocol=protocol,
            ),
            written.place,
        )
        for number in range(count + 1)
    ]


def _range(text: str) -> tuple[int, int] | None:
    """Return the first and the last port of a range, or of a single one; None where it is none."""
    first, *others = text.split("-")
    low, high = told_count(first), told_count(others[0] if others else first)
    return (low, high) if low is not None and high is not None and low <= high <= _HIGHEST_PORT else None


def _address(text: str) -> str | None:
    """Return an address without brackets; None where it is none."""
    if not text:
        return text
    from ipaddress import ip_address  # noqa: PLC0415 - few ports have an address

    bare = text[1:-1] if _BRACKETS.fullmatch(text) else text
    if bare == text and ":" in text:
        return None
    try:
        ip_address(bare)
    except ValueError:
        return None
    return None if "%" in bare else bare


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
    """Return what makes a secret of a service unique: where it is mounted, as far as that is written."""
    return str(_field(entry, "target") or f"/run/secrets/{_field(entry, 'source')}")


def config_key(entry: ComposeNode) -> str:
    """Return what makes a config of a service unique: where it is mounted, as far as that is written."""
    return str(_field(entry, "target") or f"/{_field(entry, 'source')}")


def path_key(entry: ComposeNode) -> str:
    """Return what makes a file of variables unique: its path."""
    return str(_field(entry, "path"))


def name_key(entry: ComposeNode) -> str:
    """Return what makes a word unique: what stands before its first ``=``."""
    return str(entry.value).partition("=")[0]


class _Entries(Struct, frozen=True):
    """What may stand at a key: as a whole, and as an entry of a list, whose short syntax ``read`` knows."""

    whole: tuple[type, ...] = (object,)
    each: tuple[type, ...] = (str, dict)
    read: Callable[[ComposeNode, str], object] | None = None


_SHORT_OR_LONG = _Entries()
_ENTRIES = {
    "build": _Entries((str, dict)),
    "build.additional_contexts": _Entries((list, dict), (str,)),
    "build.secrets": _SHORT_OR_LONG,
    "build.ssh": _Entries((str, list, dict), (str,), short_ssh),
    "configs": _SHORT_OR_LONG,
    "depends_on": _Entries((list, dict)),
    "devices": _Entries(read=short_device),
    "env_file": _Entries((str, list), (object,)),
    "extends": _Entries((str, dict)),
    "gpus": _Entries((str, list), (dict,)),
    "labels": _Entries((list, dict), (str,)),
    "networks": _SHORT_OR_LONG,
    "ports": _Entries((list,), (str, int, dict), short_port),
    "secrets": _SHORT_OR_LONG,
    "volumes": _Entries(read=short_volume),
}
_CALLED = {str: "text", int: "a number", list: "a list", dict: "a mapping"}


def check_entries(services: Mapping[str, ComposeNode]) -> None:
    """Check the entries of services of which nothing else is looked at, as Compose does in a whole file.

    Source: compose-go 2.9, transform/canonical.go.

    Raises:
        UsageError: An entry is of another kind than it may be, or its short syntax is wrong.
    """
    for service, written in services.items():
        for key, known in _ENTRIES.items():
            found = _at(written, key)
            if found is None or found.value is None:
                continue
            where = f"services.{service}.{key}"
            _check_kind(found, where, known.whole)
            for index, entry in enumerate(found.value if isinstance(found.value, list) else ()):
                _check_kind(entry, f"{where}[{index}]", known.each)
                if isinstance(entry.value, dict):
                    if key in {"ports", "volumes"} and "target" not in entry.value:
                        raise UsageError(
                            f"{where}[{index}] has no 'target'", todo="Add the key 'target'.", place=str(entry.place)
                        )
                elif known.read is not None:
                    known.read(entry, f"{where}[{index}]")


def _at(written: ComposeNode, key: str) -> ComposeNode | None:
    found: ComposeNode | None = written
    for part in key.split("."):
        found = found.value.get(part) if found is not None and isinstance(found.value, dict) else None
    return found


def _check_kind(written: ComposeNode, name: str, kinds: tuple[type, ...]) -> None:
    if not isinstance(written.value, kinds) or isinstance(written.value, bool):
        raise wrong(written, name, " or ".join(_CALLED[kind] for kind in kinds))
