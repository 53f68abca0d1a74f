"""How a network of the engine differs from what is written: pure.

An engine tells only what a network became, with its own defaults and a subnet of its choice. So what is not written is
compared only where something known was written before, which the network then still has.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tonnage.model.network import Network
    from tonnage.model.stack import ComposeMapping

_FLAGS = ("internal", "attachable", "enable_ipv6")
_SUBNETS = "ipam.config"
_OWN_LABELS = "com.docker.compose."


def defined(project: ComposeMapping, key: str) -> ComposeMapping:
    """Return a network as it is written, without what says nothing."""
    written = (project.get("networks") or {}).get(key) or {}
    return {name: value for name, value in written.items() if value not in (None, "", False, {}, [])}


def differences(written: ComposeMapping, network: Network, earlier: ComposeMapping | None = None) -> tuple[str, ...]:
    """Return the keys in which a network is not as it is written.

    Args:
        earlier: How it was written before; None where nobody knows.
    """
    wanted, there = _aspects(written), _told(network)
    found = {key for key, value in wanted.items() if not _is(key, value, there)}
    for key, value in _aspects(earlier or {}).items():
        if key not in wanted and key in there and _is(key, value, there):
            found.add(key)
    return tuple(sorted(found))


def _aspects(written: ComposeMapping) -> dict[str, object]:
    """Return what of a network can be compared, by key."""
    ipam = written.get("ipam") or {}
    found: dict[str, object] = {key: "true" for key in _FLAGS if written.get(key)}
    if written.get("driver") not in {None, "", "default"}:
        found["driver"] = str(written["driver"])
    for section, values in (("driver_opts", written.get("driver_opts")), ("labels", written.get("labels"))):
        pairs = values.items() if isinstance(values, dict) else (str(each).partition("=")[::2] for each in values or ())
        found |= {f"{section}.{name}": _text(value) for name, value in pairs if not name.startswith(_OWN_LABELS)}
    subnets = [each for each in ipam.get("config") or () if each]
    if subnets:
        found[_SUBNETS] = [(_range(each.get("subnet")), _address(each.get("gateway"))) for each in subnets]
    return found


def _told(network: Network) -> dict[str, object]:
    """Return the same of a network of the engine."""
    flags = {"internal": network.internal, "attachable": network.attachable, "enable_ipv6": network.ipv6}
    return {
        **{key: "true" for key, is_set in flags.items() if is_set},
        "driver": network.driver,
        **{f"driver_opts.{name}": value for name, value in network.options.items()},
        **{f"labels.{name}": value for name, value in network.labels.items()},
        _SUBNETS: [(_range(each.subnet), _address(each.gateway)) for each in network.subnets],
    }


def _is(key: str, wanted: object, there: Mapping[str, object]) -> bool:
    told = there.get(key)
    if key != _SUBNETS:
        return told == wanted
    assert isinstance(wanted, list)  # noqa: S101 - made above
    return all(any(_fits(each, other) for other in _listed(told)) for each in wanted)


def _listed(told: object) -> Iterable[tuple[str, ...]]:
    return told if isinstance(told, list) else ()


def _fits(wanted: tuple[str, ...], told: tuple[str, ...]) -> bool:
    """Whether a subnet is the one that is wanted: what is not written of it, the engine chose."""
    return all(not part or part == other for part, other in zip(wanted, told, strict=True))


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def _range(value: object) -> str:
    try:
        return str(ipaddress.ip_network(str(value or ""), strict=False)) if value else ""
    except ValueError:
        return str(value)


def _address(value: object) -> str:
    try:
        return str(ipaddress.ip_address(str(value))) if value else ""
    except ValueError:
        return str(value)
