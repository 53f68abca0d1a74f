from __future__ import annotations

import time

import pytest

from tonnage.adapters.web import Web
from tonnage.errors import CannotFetchError


def test_a_host_that_cannot_be_connected_to_is_not_tried_again_and_again() -> None:
    web = Web({})
    begun = time.monotonic()
    reasons = []
    for path in ("a", "b", "c"):
        with pytest.raises(CannotFetchError) as caught:
            # Port 9 of the loopback: nobody listens there.
            web.get(f"http://127.0.0.1:9/{path}")
        reasons.append((caught.value.cause, caught.value.why))

    assert len(set(reasons)) == 1
    assert reasons[0][0] == "unreachable"
    assert time.monotonic() - begun < 5.0


def test_what_is_remembered_of_one_host_is_not_held_against_another() -> None:
    web = Web({})
    with pytest.raises(CannotFetchError, match=r"127\.0\.0\.1:9/"):
        web.get("http://127.0.0.1:9/a")
    with pytest.raises(CannotFetchError, match=r"127\.0\.0\.1:7/"):
        web.get("http://127.0.0.1:7/a")
