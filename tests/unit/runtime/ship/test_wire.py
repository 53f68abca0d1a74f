from __future__ import annotations

import gzip
import itertools
import random
import threading

from tonnage.decide.ship.packing import Pace
from tonnage.runtime.ship.wire import Meter, Watch, sent

TEXT = b"the same line again and again\n" * 200_000
CHANCE = random.Random(3).randbytes(6_000_001)


def through(content: bytes, *, wire_s: float, packs: bool = True) -> tuple[bytes, Meter]:
    """Send something over a wire that takes so many seconds for each megabyte, with compressing that takes 10 ms."""
    now = [0.0]
    ticks = itertools.count()

    def clock() -> float:
        # Compressing asks twice before each piece goes.
        next(ticks)
        now[0] += 0.005
        return now[0]

    told: list[str] = []
    meter = Meter("web", len(content), told.append, clock)
    watch = Watch(threading.Event())
    came = b""
    for piece in sent([content], meter, watch, packs=packs, pace=Pace(), clock=clock):
        now[0] += wire_s * len(piece) / 1_000_000
        came += piece
    return came, meter


def test_what_is_sent_over_a_slow_wire_is_compressed_and_whole() -> None:
    came, meter = through(TEXT, wire_s=1.0)
    assert gzip.decompress(came) == TEXT
    assert meter.packed
    assert len(came) == meter.wire_bytes < len(TEXT) / 5


def test_what_cannot_be_compressed_is_wrapped_and_whole() -> None:
    came, meter = through(CHANCE, wire_s=1.0)
    assert gzip.decompress(came) == CHANCE
    assert len(CHANCE) < meter.wire_bytes < len(CHANCE) * 1.001


def test_nothing_is_compressed_or_wrapped_where_there_is_no_wire() -> None:
    came, meter = through(TEXT, wire_s=0.0, packs=False)
    assert (came, meter.packed) == (TEXT, False)


def test_progress_tells_rate_and_time_left() -> None:
    told: list[str] = []
    now = [0.0]
    meter = Meter("web", 10_000_000, told.append, lambda: now[0])
    now[0] = 2.0
    meter.moved(4_000_000, 4_000_000)
    assert told == ["web: 4.00 MB of 10.0 MB, 2.00 MB/s, 3 s left"]
