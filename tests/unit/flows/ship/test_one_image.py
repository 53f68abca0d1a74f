from __future__ import annotations

import random
import threading

import pytest
from tests.simulator.shipping import SimulatedShipEngines, image_of

from tonnage.decide.ship import missing
from tonnage.errors import CannotFitError, EngineUnreachableError, ReserveCrossedError, StepFailedError
from tonnage.flows.ship.one_image import look, ship_image
from tonnage.runtime.ship import wire

CHANCE = random.Random(23)
BASE, APP, NEXT = CHANCE.randbytes(3_000_001), CHANCE.randbytes(400_003), CHANCE.randbytes(700_001)
STORES = pytest.mark.parametrize("store", ["classic", "containerd"])


def engines(store: str, **images: list[bytes]) -> SimulatedShipEngines:
    made = SimulatedShipEngines()
    made.there.store = store
    made.here.contents = {f"{name}:1": layers for name, layers in images.items()}
    return made


@STORES
def test_only_layers_that_are_not_there_are_read_and_sent(store: str) -> None:
    made = engines(store, old=[BASE, APP], new=[BASE, NEXT])
    first = ship_image(made, "", "", "old:1", keep_free_bytes=0)
    assert (first.layers_sent, first.layers_there) == (2, 0)
    made.here.read.clear()
    before = made.there.came_bytes

    second = ship_image(made, "", "", "new:1", names=("web:latest", "web:7"), keep_free_bytes=0)

    assert (second.layers_sent, second.layers_there) == (1, 1)
    assert made.here.read == [image_of("new:1", [BASE, NEXT]).diff_ids[1]]
    assert len(NEXT) < second.wire_bytes == made.there.came_bytes - before < len(NEXT) + 20_000
    assert set(made.there.images) == {"old:1", "web:latest", "web:7"}
    assert made.there.images["web:7"] == second.image_id


@STORES
def test_an_image_that_is_there_is_not_sent_again(store: str) -> None:
    made = engines(store, web=[BASE])
    ship_image(made, "", "", "web:1", keep_free_bytes=0)
    came = made.there.came_bytes
    again = ship_image(made, "", "", "web:1", keep_free_bytes=0)
    assert (again.wire_bytes, again.layers_there) == (0, 1)
    assert made.there.came_bytes == came


@STORES
def test_what_arrived_before_a_break_is_not_sent_again(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(missing, "PARCEL_BYTES", 300_000)
    made = engines(store, web=[BASE, APP, NEXT])
    made.there.breaks_after_bytes = len(BASE) + len(APP) // 2
    with pytest.raises(EngineUnreachableError):
        ship_image(made, "", "", "web:1", keep_free_bytes=0)
    assert len(made.there.images) == 1
    assert "carrier" in next(iter(made.there.images))

    made.there.breaks_after_bytes, made.here.read = None, []
    ended = ship_image(made, "", "", "web:1", keep_free_bytes=0)

    assert ended.layers_sent == 2
    assert image_of("web:1", [BASE]).diff_ids[0] not in made.here.read
    assert list(made.there.images) == ["web:1"]


@STORES
def test_the_bytes_on_the_wire_are_forecast_to_the_byte(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(missing, "PARCEL_BYTES", 300_000)
    made = engines(store, web=[BASE, APP, NEXT])
    # No wire leads to an engine of this machine, so nothing is wrapped.
    made.there.endpoint = "unix:///there"
    [ship] = look(made.here, made.there, {"web:1": ("web:1",)}, keep_free_bytes=0, owner="images").ships
    shipped = ship_image(made, "", "", "web:1", keep_free_bytes=0)
    assert ship.wire_bytes == made.there.came_bytes == shipped.wire_bytes


def test_what_does_not_fit_is_refused_before_anything_is_sent() -> None:
    made = engines("classic", web=[BASE])
    made.there.available_bytes = 10_000_000
    with pytest.raises(CannotFitError, match="short") as refused:
        ship_image(made, "", "", "web:1", keep_free_bytes=5_000_000)
    assert "5.00 MB" in refused.value.why
    assert (made.there.came_bytes, made.here.read, made.there.images) == (0, [], {})


@STORES
def test_sending_stops_at_the_reserve_and_leaves_no_name(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "_LOOK_EVERY_S", 0.0)
    made = engines(store, web=[BASE])
    made.there.available_bytes = 20_000_000
    made.falls_by_bytes = 7_000_000
    with pytest.raises(ReserveCrossedError):
        ship_image(made, "", "", "web:1", keep_free_bytes=5_000_000)
    assert made.there.images == {}


def test_an_image_that_did_not_arrive_whole_gets_no_name_and_the_old_one_keeps_its_own() -> None:
    made = engines("containerd", web=[BASE])
    ship_image(made, "", "", "web:1", keep_free_bytes=0)
    old = dict(made.there.images)
    made.here.contents["web:1"] = [BASE, APP]
    made.there.loses = {image_of("web:1", [APP]).diff_ids[0]}
    with pytest.raises(StepFailedError, match="whole"):
        ship_image(made, "", "", "web:1", keep_free_bytes=0)
    assert made.there.images == old


def test_a_signal_stops_it() -> None:
    made = engines("classic", web=[BASE])
    stopped = threading.Event()
    stopped.set()
    with pytest.raises(StepFailedError, match="stopped"):
        ship_image(made, "", "", "web:1", keep_free_bytes=0, cancel=stopped)
    assert made.there.images == {}


def test_an_image_for_another_platform_is_refused() -> None:
    made = engines("classic", web=[BASE])
    made.here.platform = "linux/arm64"
    with pytest.raises(StepFailedError, match="arm64"):
        ship_image(made, "", "", "web:1", keep_free_bytes=0)
    assert made.there.came_bytes == 0
