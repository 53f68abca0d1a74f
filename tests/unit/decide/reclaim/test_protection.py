"""What must stay on an engine, each with its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from tests.unit.decide import observed

from tonnage.decide.reclaim.protection import YOUNG_S, images_that_stay, why_container_stays
from tonnage.errors import CannotReclaimError
from tonnage.model.inventory import Container
from tonnage.model.reclaim.candidate import Root, Roots
from tonnage.model.references import find_image, tagged

if TYPE_CHECKING:
    from tonnage.model.inventory import Image

DIGEST = "sha256:" + "ab" * 32
NGINX = replace(observed.image(7, "nginx:1.25"), image_id="sha256:" + "7c" * 32, digests=(f"nginx@{DIGEST}",))
THEIRS = observed.image(8, "theirs/app:latest")
REGISTRY = observed.image(9, "registry.example.org:5000/library/app:2")
NOW_S = 2_000_000.0


@pytest.mark.parametrize(
    "written",
    [
        "nginx:1.25",
        "docker.io/library/nginx:1.25",
        "docker.io/nginx:1.25",
        "index.docker.io/library/nginx:1.25",
        "library/nginx:1.25",
        f"nginx@{DIGEST}",
        f"nginx:1.25@{DIGEST}",
        f"docker.io/library/nginx:9@{DIGEST}",
        NGINX.image_id,
        NGINX.image_id.removeprefix("sha256:"),
        NGINX.image_id.removeprefix("sha256:")[:12],
    ],
)
def test_an_image_stays_however_a_compose_file_writes_its_name(written: str) -> None:
    inventory = observed.inventory(images=(THEIRS, NGINX, REGISTRY))
    needs = Roots(images=(Root(written, "web of the stack shop is run from it"),))
    assert images_that_stay(inventory, needs) == {NGINX.image_id: "web of the stack shop is run from it"}


def test_an_engine_that_writes_the_registry_out_is_understood_too() -> None:
    written_out = replace(NGINX, references=("docker.io/library/nginx:1.25",), digests=())
    assert find_image((written_out,), "nginx:1.25") is written_out
    theirs = replace(THEIRS, references=("docker.io/theirs/app:latest",))
    assert find_image((theirs,), "theirs/app") is theirs


@pytest.mark.parametrize("other", ["nginx:1.26", "docker.io/theirs/nginx:1.25", "nginx", "nginx@sha256:" + "cd" * 32])
def test_another_image_of_a_like_name_does_not_count(other: str) -> None:
    assert find_image((NGINX, THEIRS, REGISTRY), other) is None


def test_names_in_another_registry_are_left_as_they_are() -> None:
    assert tagged("registry.example.org:5000/library/app:2") == "registry.example.org:5000/library/app:2"
    assert tagged("localhost/library/app") == "localhost/library/app:latest"
    assert find_image((NGINX, REGISTRY), "registry.example.org:5000/library/app:2") is REGISTRY


def test_what_was_pulled_just_now_stays_and_what_was_built_just_now_may_go() -> None:
    pulled = replace(observed.image(1, "pulled:1"), created_s=NOW_S - 90_000, named_s=NOW_S - 20)
    long_ago = replace(observed.image(2, "long:1"), created_s=NOW_S - 90_000, named_s=NOW_S - YOUNG_S - 1)
    built = replace(observed.image(3, "built:1"), created_s=NOW_S - 21, named_s=NOW_S - 20)
    untold = replace(observed.image(4, "untold:1"), created_s=NOW_S - 90_000)
    inventory = observed.inventory(images=(pulled, long_ago, built, untold))
    assert list(images_that_stay(inventory, Roots(now_s=NOW_S))) == [pulled.image_id]


def test_what_a_registry_knows_was_pulled_also_when_it_was_made_a_moment_before() -> None:
    pulled = replace(
        observed.image(1, "pulled:1"), created_s=NOW_S - 600, named_s=NOW_S - 20, digests=(f"pulled@{DIGEST}",)
    )
    pushed = replace(observed.image(2, "own:1"), created_s=NOW_S - 21, named_s=NOW_S - 20, digests=(f"own@{DIGEST}",))
    inventory = observed.inventory(images=(pulled, pushed))
    assert list(images_that_stay(inventory, Roots(now_s=NOW_S))) == [pulled.image_id]


@pytest.mark.parametrize("state", ["running", "paused", "created", "restarting", "removing", "exited", "dead"])
@pytest.mark.parametrize("project", ["", "shop"])
def test_the_image_of_a_container_in_any_state_stays(state: str, project: str) -> None:
    container = observed.container(observed.service(), THEIRS, state=state, project=project)
    inventory = observed.inventory(images=(THEIRS, NGINX), containers=(container,))
    stay = images_that_stay(inventory, Roots(now_s=NOW_S))
    assert list(stay) == [THEIRS.image_id]
    over = state in {"exited", "dead"}
    assert ("image of the stopped container" if over else "uses it") in stay[THEIRS.image_id]


def test_a_stopped_container_whose_image_was_forced_away_keeps_nothing_from_being_told() -> None:
    gone = observed.image(5, "gone:1")
    stopped = observed.container(observed.service(), gone, state="exited", project="")
    stay = images_that_stay(observed.inventory(images=(NGINX,), containers=(stopped,)), Roots(now_s=NOW_S))
    assert NGINX.image_id not in stay
    with pytest.raises(CannotReclaimError, match="cannot determine what must be kept"):
        images_that_stay(
            observed.inventory(images=(NGINX,), containers=(replace(stopped, state="running"),)), Roots(now_s=NOW_S)
        )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"pod": "backup"}, "it belongs to the pod backup, which is there still"),
        ({"labels": {"PODMAN_SYSTEMD_UNIT": "web.service"}}, "systemd starts it by its unit web.service"),
        ({}, ""),
    ],
)
def test_what_has_ended_stays_where_podman_or_systemd_will_start_it_again(changes: dict[str, Any], reason: str) -> None:
    ended = Container(container_id="c", name="x", image_id="i", state="exited")
    assert why_container_stays(replace(ended, **changes)) == reason


SHARED = f"localhost/tonnage/shared:{'0' * 24}"


def shared(**changes: Any) -> Image:  # noqa: ANN401 - fields of an image
    return replace(observed.image(40, SHARED), **{"created_s": 0.0, **changes})


def standing(reference: str, *, number: int = 41) -> Image:
    own = observed.image(number, reference)
    return replace(own, layers=(*shared().layers, *own.layers))


def test_an_image_of_shared_wheels_stays_while_something_stands_on_it_that_stays() -> None:
    kept = standing("localhost/tonnage/shop/web:v3-0123456789ab")
    stay = images_that_stay(observed.inventory(images=(shared(), kept)), Roots(now_s=NOW_S))
    assert stay[shared().image_id] == f"{kept.references[0]} stands on it"
    loose = standing("shop-web:latest")
    assert images_that_stay(observed.inventory(images=(shared(), loose)), Roots(now_s=NOW_S)) == {}


def test_an_image_of_shared_wheels_that_is_new_may_be_about_to_be_stood_on() -> None:
    new = shared(created_s=NOW_S - 600)
    stay = images_that_stay(observed.inventory(images=(new,)), Roots(now_s=NOW_S))
    assert "about to stand on it" in stay[new.image_id]
    assert images_that_stay(observed.inventory(images=(shared(),)), Roots(now_s=NOW_S)) == {}


def test_what_has_unknown_layers_may_stand_on_an_image_of_shared_wheels() -> None:
    unknown = replace(observed.image(9, "nginx:1.25"), layers=())
    needs = Roots(images=(Root("nginx:1.25", "it is needed"),), now_s=NOW_S)
    assert shared().image_id in images_that_stay(observed.inventory(images=(shared(), unknown)), needs)
    assert shared().image_id not in images_that_stay(observed.inventory(images=(shared(), NGINX)), needs)
