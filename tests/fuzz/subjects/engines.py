"""What engines and builders answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
from tests.fuzz.subject import Subject, whole_text

from tonnage.adapters.docker import wire
from tonnage.adapters.docker.connect import spoken_version
from tonnage.adapters.docker.progress import LegacyOutput, PlainOutput, RawJsonOutput
from tonnage.adapters.images import layers
from tonnage.decide.reports.log_patterns import find_symptoms
from tonnage.errors import EngineLacksError, TonnageError

WIRE = Path(__file__).resolve().parents[2] / "wire"
LOGS = Path(__file__).resolve().parents[2] / "logs"


def _recorded(name: str) -> Any:  # noqa: ANN401 - JSON
    return json.loads((WIRE / "20.10" / f"{name}.json").read_text(encoding="utf-8"))


def _one(told: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
    return next(iter(told.values()))


_IMAGES = [
    {"listed": told["images"][:2], "details": told["details"], "histories": told["histories"]}
    for told in (json.loads(path.read_text(encoding="utf-8")) for path in sorted((WIRE / "constructed").glob("*.json")))
]
_HALF_OF_A_PAIR = {"Id": f"sha256:{'a' * 64}", "RootFS": {"Type": "layers", "Layers": ["\ud800", "b"]}}
_HALVES = {
    "listed": [{"Id": _HALF_OF_A_PAIR["Id"], "Created": 1, "Size": 10, "SharedSize": -1}],
    "details": {_HALF_OF_A_PAIR["Id"]: _HALF_OF_A_PAIR},
    "histories": {_HALF_OF_A_PAIR["Id"]: [{"Id": "a"}, {"Id": "b"}]},
}
_CONTAINERS = _recorded("container_details")
_REPLIES = {
    "info": json.dumps(_recorded("info")),
    "version": json.dumps(_recorded("version")),
    "usage": json.dumps(_recorded("df"))[:12_000],
    "volumes": json.dumps(_recorded("volumes")),
}


def _info(text: str) -> None:
    told = wire.info(_json(text))
    assert wire.engine(told, "unix:///a", "1.41").engine_id
    wire.clock_s(told)


def _version(text: str) -> None:
    reply = _json(text)
    if isinstance(reply, dict):
        spoken_version(reply)


def _usage(text: str) -> None:
    reply = _json(text)
    for record in wire.cache(reply):
        assert record.size_bytes >= 0 or record.size_bytes == -1, record
    wire.shared_sizes(reply)


def _images(text: str) -> None:
    reply = _json(text)
    if not isinstance(reply, dict):
        return
    found = []
    for one in wire.image_summaries(reply.get("listed")):
        detail, history = (reply.get(key) for key in ("details", "histories"))
        detail = detail.get(one.id) if isinstance(detail, dict) else detail
        history = history.get(one.id) if isinstance(history, dict) else history
        found.append(wire.image(one, detail, history, "containerd"))
    layers.with_unique(layers.agreed(found))


def _container(text: str) -> None:
    reply = _json(text)
    assert wire.container(reply).container_id is not None
    wire.reach(reply)


def _volumes(text: str) -> None:
    reply = _json(text)
    wire.volumes(reply, [], reply)


def _events(text: str) -> None:
    wire.pulled(text)


def _json(text: str) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise EngineLacksError("no JSON") from None


def _progress(text: str) -> None:
    for output in (RawJsonOutput(), PlainOutput(), LegacyOutput()):
        for line in whole_text(text).split("\n"):
            told = output.hear(line)
            assert told is not None
        assert output.failure() is not None


def _log(text: str) -> None:
    for each in find_symptoms(text):
        assert each


_REFUSED = (TonnageError, msgspec.ValidationError)
_OUTPUTS = tuple(path.read_text(encoding="utf-8")[:6000] for path in sorted((WIRE / "progress").glob("*.txt")))
_LOGS = tuple(path.read_text(encoding="utf-8")[:4000] for path in sorted((LOGS / "full").glob("*.log")))
SUBJECTS = (
    Subject(name="engine information", read=_info, seeds=(_REPLIES["info"],), inputs=150, refuses=_REFUSED),
    Subject(name="engine version", read=_version, seeds=(_REPLIES["version"],), inputs=250, refuses=_REFUSED),
    Subject(name="disk usage", read=_usage, seeds=(json.dumps(_recorded("df")),), inputs=60, refuses=_REFUSED),
    Subject(name="images", read=_images, seeds=tuple(map(json.dumps, _IMAGES)), inputs=120, refuses=_REFUSED,
            found=(json.dumps(_HALVES),)),
    Subject(
        name="container", inputs=250, refuses=_REFUSED, read=_container,
        seeds=tuple(json.dumps(each) for each in list(_CONTAINERS.values())[:3])
        if isinstance(_CONTAINERS, dict) else tuple(map(json.dumps, _CONTAINERS[:3])),
    ),
    Subject(name="volumes", read=_volumes, seeds=(_REPLIES["volumes"],), inputs=250, refuses=_REFUSED),
    Subject(
        name="events", read=_events, inputs=250, refuses=(TonnageError, msgspec.ValidationError, msgspec.DecodeError),
        seeds=((WIRE / "20.10" / "events.jsonl").read_text(encoding="utf-8"),),
    ),
    Subject(name="output of a build", read=_progress, seeds=_OUTPUTS, inputs=150, refuses=()),
    Subject(name="log", read=_log, seeds=_LOGS, words=("No space left on device", "ERROR: ", "#9 ", "\x1b[31m"),
            refuses=(), inputs=250),
)  # fmt: skip
