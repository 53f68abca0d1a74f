from __future__ import annotations

import random
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.simulator.shipping import SimulatedShipEngines, image_of

from tonnage.decide.ship.names import check_through, repository_in
from tonnage.errors import CannotFitError, ReserveCrossedError, StepFailedError, UsageError
from tonnage.flows.ship.through import look_through, registry_of, send_through
from tonnage.model.deploy.policy import Setting
from tonnage.model.forecast.estimate import Grade
from tonnage.model.ship import PackedLayer
from tonnage.runtime.ship import wire

if TYPE_CHECKING:
    from tonnage.adapters.interface import Cancel
    from tonnage.model.ship import ImageToShip, ShipLook, Shipped

CHANCE = random.Random(64)
BASE, APP, NEXT = CHANCE.randbytes(3_000_001), CHANCE.randbytes(400_003), CHANCE.randbytes(700_001)
THROUGH = "registry.example.org/fleet"
STORES = pytest.mark.parametrize("store", ["classic", "containerd"])


def engines(store: str, **images: list[bytes]) -> SimulatedShipEngines:
    made = SimulatedShipEngines()
    made.there.store = store
    made.here.contents = {f"{name}:1": layers for name, layers in images.items()}
    return made


def looked(made: SimulatedShipEngines, *images: str, keep_free_bytes: int = 0) -> ShipLook:
    with ExitStack() as opened:
        registry = opened.enter_context(made.registry(()))
        wanted = {image: (image,) for image in images}
        return look_through(
            made.here, made.there, registry, wanted, through=THROUGH, keep_free_bytes=keep_free_bytes
        )  # fmt: skip


def sent(
    made: SimulatedShipEngines, *images: str, keep_free_bytes: int = 0, cancel: Cancel | None = None
) -> tuple[Shipped, ...]:
    look = looked(made, *images, keep_free_bytes=keep_free_bytes)
    with made.registry(()) as registry:
        return send_through(made, made.here, made.there, registry, look, tell=lambda _: None, cancel=cancel)


def bounds(ship: ImageToShip) -> tuple[range, range]:
    assert ship.route is not None
    return tuple(range(each.low_bytes, each.high_bytes + 1) for each in (ship.route.pushed, ship.route.pulled))  # type: ignore[return-value]


@STORES
def test_only_what_the_registry_and_the_engine_lack_crosses(store: str) -> None:
    made = engines(store, web=[BASE, APP])
    [ship] = looked(made, "web:1").ships
    [first] = sent(made, "web:1")
    pushed, pulled = bounds(ship)
    assert first.pushed_bytes in pushed
    assert first.pulled_bytes in pulled
    assert (first.pushed_bytes, first.pulled_bytes) == (made.here.registry.pushed_bytes, made.there.came_bytes)

    made.here.contents["web:2"] = [BASE, NEXT]
    [ship] = looked(made, "web:2").ships
    [second] = sent(made, "web:2")
    assert len(NEXT) < second.pushed_bytes < len(NEXT) + 1000  # type: ignore[operator]
    assert second.pushed_bytes == second.pulled_bytes
    assert all(
        count in span for count, span in zip((second.pushed_bytes, second.pulled_bytes), bounds(ship), strict=True)
    )
    assert set(made.there.images) == {"web:1", "web:2"}
    assert made.there.images["web:2"] == second.image_id


@STORES
def test_layers_that_images_share_are_pushed_and_pulled_once(store: str) -> None:
    made = engines(store, web=[BASE, APP], api=[BASE, NEXT])
    look = looked(made, "web:1", "api:1")
    second = look.ships[1]
    assert second.route is not None
    assert second.route.pushed.likely_bytes < len(BASE) // 4
    assert second.route.pulled.high_bytes < len(NEXT) + 3000
    web, api = sent(made, "web:1", "api:1")
    # The other repository of the registry would give the shared layer away; the simulated one has it pushed again.
    assert api.pushed_bytes in bounds(second)[0]
    assert web.pulled_bytes + api.pulled_bytes == made.there.came_bytes < len(BASE) + len(APP) + len(NEXT) + 3000  # type: ignore[operator]


def test_a_blob_whose_digest_is_known_is_counted_to_the_byte() -> None:
    made = engines("classic", web=[BASE])
    [first] = sent(made, "web:1")
    made.there.images.clear()
    [ship] = looked(made, "web:1").ships
    assert ship.route is not None
    assert (ship.route.pushed.high_bytes, ship.route.pulled.grade) == (0, Grade.EXACT)
    [again] = sent(made, "web:1")
    assert again.pushed_bytes == 0
    assert first.pulled_bytes == ship.route.pulled.likely_bytes
    # Its files are there, and what unpacks to them is not known by its digest: it is pulled again.
    made.there.notes.clear()
    [ship] = looked(made, "web:1").ships
    assert ship.present
    made.there.images = {"other": made.there.images["web:1"]}
    [ship] = looked(made, "web:1").ships
    assert (len(ship.sent), ship.kept.high_bytes) == (1, 0)


def test_a_blob_that_another_repository_has_may_cost_nothing() -> None:
    made = engines("classic", web=[BASE])
    [layer] = image_of("web:1", [BASE]).layers
    made.here.registry.held["registry.example.org/base", "sha256:5"] = b"x" * 77
    made.here.known = {layer.diff_id: (PackedLayer("sha256:5", "registry.example.org/base"),)}
    [ship] = looked(made, "web:1").ships
    assert ship.route is not None
    assert (ship.route.pushed.low_bytes, ship.route.pushed.high_bytes) == (0, 77)


def test_what_does_not_fit_is_refused_before_anything_is_pushed() -> None:
    made = engines("classic", web=[BASE])
    made.there.available_bytes = 10_000_000
    with pytest.raises(CannotFitError, match="short"):
        sent(made, "web:1", keep_free_bytes=6_000_000)
    assert (made.here.registry.pushed_bytes, made.there.came_bytes, made.there.images) == (0, 0, {})


@STORES
def test_pulling_stops_at_the_reserve_and_leaves_no_name(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "_LOOK_EVERY_S", 0.0)
    made = engines(store, web=[BASE])
    made.there.available_bytes = 20_000_000
    made.falls_by_bytes = 5_000_000
    with pytest.raises(ReserveCrossedError):
        sent(made, "web:1", keep_free_bytes=5_000_000)
    assert made.there.images == {}


def test_what_did_not_arrive_whole_gets_no_name_and_the_old_one_keeps_its_own() -> None:
    made = engines("containerd", web=[BASE])
    sent(made, "web:1")
    old = dict(made.there.images)
    made.here.contents["web:1"] = [BASE, APP]
    sent_before = made.here.registry.pushed_bytes
    made.there.loses = {digest for _, digest in made.here.registry.held} | {_packed(APP)}
    with pytest.raises(StepFailedError, match="whole"):
        sent(made, "web:1")
    assert made.here.registry.pushed_bytes > sent_before
    assert made.there.images == old


def test_another_image_in_the_registry_is_not_pulled() -> None:
    made = engines("classic", web=[BASE])
    made.here.registry.forges = True
    with pytest.raises(StepFailedError, match="another image"):
        sent(made, "web:1")
    assert (made.there.came_bytes, made.there.images) == (0, {})


def test_a_signal_stops_it() -> None:
    made, stopped = engines("classic", web=[BASE]), threading.Event()
    stopped.set()
    with pytest.raises(StepFailedError, match="stopped"):
        sent(made, "web:1", cancel=stopped)
    assert (made.here.registry.pushed_bytes, made.there.images) == (0, {})


@pytest.mark.parametrize(
    ("name", "repository", "own"),
    [
        ("shop-web:latest", f"{THROUGH}/shop-web", False),
        ("registry.example.org/fleet/web:4", "registry.example.org/fleet/web", True),
        ("registry.example.org/fleetwood/web:4", f"{THROUGH}/fleetwood/web", False),
        ("other.example.org/web@sha256:" + "0" * 64, f"{THROUGH}/web", False),
    ],
)
def test_an_image_uses_its_own_repository_where_that_is_meant(name: str, repository: str, *, own: bool) -> None:
    assert repository_in(THROUGH, name) == (repository, own)


@pytest.mark.parametrize("text", ["fleet", "", "registry.example.org/a:1", "-x", "https://registry.example.org", "a b"])
def test_what_names_no_registry_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="names no registry"):
        check_through(text)


STRANGER = Setting(key="through", value=THROUGH, origin="x-tonnage (compose.yaml:3)", meaning="")


@pytest.mark.parametrize(
    ("setting", "logins"),
    [
        (STRANGER, {"registry.example.org"}),
        (replace(STRANGER, value="127.0.0.1:5000/fleet"), set()),
        (replace(STRANGER, origin="environment (TONNAGE_THROUGH)"), set()),
        (replace(STRANGER, origin="flag (--through)"), set()),
    ],
)
def test_a_registry_of_the_user_is_followed(setting: Setting, logins: set[str]) -> None:
    assert registry_of([setting], logins.__contains__) == setting.value


def test_a_file_sends_images_nowhere_without_a_login_there() -> None:
    with pytest.raises(UsageError) as refused:
        registry_of([STRANGER], {"example.org", "registry.example.org/fleet"}.__contains__)
    told = f"{refused.value.what} {refused.value.todo}"
    assert "compose.yaml:3" in told
    assert "docker login registry.example.org" in told
    assert f"TONNAGE_THROUGH={THROUGH}" in told


def _packed(layer: bytes) -> str:
    import gzip  # noqa: PLC0415 - as the simulated engine does

    from tests.simulator.shipping import digest_of  # noqa: PLC0415

    return digest_of(gzip.compress(layer, mtime=0))
