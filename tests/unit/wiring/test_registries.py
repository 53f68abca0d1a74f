from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tests.answering import Answer, answering

from tonnage.wiring.registries import in_registries

if TYPE_CHECKING:
    from pathlib import Path

    from tests.answering import Asked

DIGEST = f"sha256:{'7' * 64}"
HERE = f"sha256:{'1' * 64}"


def test_only_what_a_registry_says_it_has_is_known(tmp_path: Path) -> None:
    with answering() as server:
        server.routes[f"/v2/team/base/manifests/{DIGEST}"] = Answer(headers={"Docker-Content-Digest": DIGEST})
        known, unknown = f"{server.host}/team/base@{DIGEST}", f"{server.host}/training/model@{HERE}"
        nowhere = f"127.0.0.1:1/team/base@{DIGEST}"
        asked = in_registries({"TONNAGE_CACHE_DIR": str(tmp_path)}, [known, unknown, nowhere])
    assert asked == {known}


def test_what_is_named_for_this_machine_is_no_registrys_and_nobody_is_asked(tmp_path: Path) -> None:
    assert in_registries({"TONNAGE_CACHE_DIR": str(tmp_path)}, [f"localhost/tonnage/shop/web@{DIGEST}"]) == frozenset()
    assert not any(tmp_path.iterdir())


def test_a_name_leads_nobody_to_where_clouds_keep_credentials(tmp_path: Path) -> None:
    with answering() as proxy:
        asked = in_registries(
            {"TONNAGE_CACHE_DIR": str(tmp_path), "http_proxy": proxy.address},
            [f"169.254.169.254/latest/meta-data@{DIGEST}"],
            insecure=["169.254.169.254"],
        )
    assert asked == frozenset()
    assert not proxy.asked


def test_a_registry_that_does_not_answer_in_time_has_said_nothing(tmp_path: Path) -> None:
    over = threading.Event()

    def wait(_asked: Asked) -> Answer:
        over.wait(60)
        return Answer()

    with answering() as server:
        server.routes[f"/v2/team/slow/manifests/{DIGEST}"] = wait
        server.routes[f"/v2/team/base/manifests/{DIGEST}"] = Answer(headers={"Docker-Content-Digest": DIGEST})
        slow, known = (f"{server.host}/team/{each}@{DIGEST}" for each in ("slow", "base"))
        try:
            found = in_registries({"TONNAGE_CACHE_DIR": str(tmp_path)}, [slow, known], within_s=2.0)
        finally:
            over.set()
    assert slow not in found
