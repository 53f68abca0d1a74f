"""``x-tonnage``: the settings of this program inside a compose file, at the top and in a service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.errors import UsageError
from tonnage.model.stack import ProbeSpec, ServiceSettings, SwitchOrder
from tonnage.sources.compose.nodes import nearest, wrong
from tonnage.sources.compose.scalars import PathBase, Span, Text, Truth, Whole, as_text
from tonnage.sources.compose.shapes import Fields
from tonnage.sources.compose.weights import WEIGHTS, weights_spec
from tonnage.units import parse_bytes, parse_seconds

if TYPE_CHECKING:
    from tonnage.model.stack import Place
    from tonnage.sources.compose.nodes import ComposeNode

_KEEP_FREE = "keep-free"
_ASSUME_UNKNOWN = "assume-unknown"
_SIZES = (_KEEP_FREE, _ASSUME_UNKNOWN)
STACK_KEYS = (_KEEP_FREE, "keep-previous", "cleanup-after", _ASSUME_UNKNOWN, "forecast")
_GROUND = PathBase("/")
_HTTP_STATUS = range(100, 600)
_PORTS = range(1, 65536)

SERVICE = Fields(
    {
        "probe": Fields({"path": Text(), "port": Whole(), "status": Whole(), "timeout": Span()}, required=("port",)),
        "switch": Text(choices=tuple(SwitchOrder)),
        "one-shot": Truth(),
        "stability": Span(),
        "weights": WEIGHTS,
    }
)


def stack_settings(written: ComposeNode | None) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, Place], ...]]:
    """Read ``x-tonnage`` of the stack.

    Args:
        written: The section; None when there is none.

    Raises:
        UsageError: An unknown key, a value of the wrong kind, or a size that is none.
    """
    if written is None or written.value is None:
        return (), ()
    if not isinstance(written.value, dict):
        raise wrong(written, "x-tonnage", "a mapping")
    values: list[tuple[str, str]] = []
    places: list[tuple[str, Place]] = []
    for key, entry in written.value.items():
        if key not in STACK_KEYS:
            in_service = f"{key!r} belongs under x-tonnage of a service." if key in SERVICE.keys else ""
            raise UsageError(
                f"the key {key!r} is not known in x-tonnage",
                todo=in_service or nearest(key, STACK_KEYS),
                place=str(entry.place),
            )
        values.append((key, _stack_value(key, entry)))
        places.append((key, entry.place))
    return tuple(values), tuple(places)


def _stack_value(key: str, entry: ComposeNode) -> str:
    name = f"x-tonnage.{key}"
    if key not in _SIZES:
        read = Truth().read(entry, name, _GROUND)
        if read.value is None:
            raise wrong(entry, name, "true or false")
        return as_text(read.value)
    if not isinstance(entry.value, str | int) or isinstance(entry.value, bool):
        raise wrong(entry, name, "a size such as 2GB")
    text = str(entry.value)
    try:
        parse_bytes(text)
    except UsageError as error:
        raise UsageError(f"{name}: {error.what}", why=error.why, todo=error.todo, place=str(entry.place)) from None
    return text


def service_settings(written: ComposeNode | None, service: str, *, one_shot: bool) -> ServiceSettings:
    """Read ``x-tonnage`` of a service.

    Args:
        written: The section; None when there is none.

    Raises:
        UsageError: An unknown key or a value of the wrong kind.
    """
    if written is None or written.value is None:
        return ServiceSettings(one_shot=one_shot)
    name = f"services.{service}.x-tonnage"
    if isinstance(written.value, dict):
        for key, entry in written.value.items():
            if key in STACK_KEYS:
                raise UsageError(
                    f"the key {key!r} is not known in {name}",
                    todo=f"{key!r} belongs under x-tonnage at the top of the file.",
                    place=str(entry.place),
                )
    fields: dict[str, ComposeNode] = SERVICE.read(written, name, _GROUND).value
    defaults = ServiceSettings()
    wants_one_shot = fields["one-shot"].value if "one-shot" in fields else None
    return ServiceSettings(
        probe=_probe(fields["probe"], name) if "probe" in fields else None,
        switch=SwitchOrder((fields["switch"].value if "switch" in fields else None) or defaults.switch),
        one_shot=one_shot if wants_one_shot is None else bool(wants_one_shot),
        stability_s=_seconds(fields.get("stability"), defaults.stability_s),
        weights=weights_spec(fields["weights"], f"{name}.weights") if "weights" in fields else None,
    )


def _probe(written: ComposeNode, name: str) -> ProbeSpec | None:
    if written.value is None:
        return None
    fields: dict[str, ComposeNode] = written.value
    port = _within(fields["port"], f"{name}.probe.port", _PORTS)
    status = _within(fields["status"], f"{name}.probe.status", _HTTP_STATUS) if "status" in fields else 200
    path = fields["path"].value if "path" in fields else "/"
    return ProbeSpec(
        port=port,
        path=path if path.startswith("/") else f"/{path}",
        status=status,
        timeout_s=_seconds(fields.get("timeout"), 60.0),
    )


def _within(written: ComposeNode, name: str, limits: range) -> int:
    value = written.value
    if not isinstance(value, int) or value not in limits:
        raise wrong(written, name, f"a whole number from {limits.start} to {limits.stop - 1}")
    return value


def _seconds(written: ComposeNode | None, default: float) -> float:
    return default if written is None or written.value is None else parse_seconds(written.value)
