"""Brakes the engine itself before the reserve, where the user chose that: what it writes is in no group of a step.

What may go is found out when the first build begins, and room is made as soon as the reserve is near, while the engine
runs: it is the engine that removes. Where what it writes
(COPY, pulls, exports) comes to the reserve before that is done, it stands still and runs by turns as long as the disk
falls, so that what it frees overtakes what it writes. Without any room it stands still once, while the build that has
to end for it is told so: then it hears that first when it runs again.

It runs again in any case: by its turn here, by the watchdog, or by the next command for the note beside the locks.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.runtime.guard.frozen_note import FrozenNote
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tonnage.adapters.interface import StepGroups
    from tonnage.decide.guard.free_space_rate import Nearest

_RUNS_S = 0.05
"""What the engine gets at least between two stops: it has to remove meanwhile."""
_STILL_S = 0.05
_BEFORE_END_S = 0.3
"""Until the program that is stopped has told the engine so."""
_MOST_S = 30.0
"""For so long a run brakes at most, moments between counted."""
_LATER_S = 5.0
"""So much later the watchdog lets the engine run."""
_TRY_AGAIN_S = 60.0
_ENOUGH_BYTES = 50_000_000


class Brakes(Struct, frozen=True):
    """What a run whose engine may stand still has for that.

    Args:
        alone: Whether no other run is at work on the engine, which would stand still with it.
        prepare: Finds out what may go, so that it is known when there is no time for that; may take long.
    """

    alone: Callable[[], bool]
    prepare: Callable[[], None]


class EngineBrake:
    """The brake of one run.

    Args:
        groups: What stops the engine.
        lines: The reserve of each filesystem that is guarded, by mount.
        room: Makes room for what runs now, for a filesystem; returns the bytes that came free. It may take long.
        given: By the run.
        tell: Is told what people should know, from more than one thread.
        note: Where it is written down what stands still; None for the usual place.
    """

    def __init__(
        self,
        groups: StepGroups,
        lines: Mapping[str, int],
        *,
        room: Callable[[str], int],
        given: Brakes,
        tell: Callable[[str], None],
        note: FrozenNote | None = None,
    ) -> None:
        self._groups = groups
        self._lines = lines
        self._room = room
        self._alone = given.alone
        self._prepare = given.prepare
        self._preparation: threading.Thread | None = None
        self._tell = tell
        self._note = note or FrozenNote(about="-engine")
        self._lock = threading.Lock()
        self._is_open: bool | None = None
        self._closed = False
        self._worker: threading.Thread | None = None
        self._no_room_until_s = 0.0
        self._still_until_s = 0.0
        self._ran_s = 0.0
        self._ran_bytes = 0
        self._ran_at = ""
        self._end_s = 0.0
        self._ending = False
        self._said = False

    @property
    def makes_room(self) -> bool:
        """Whether something is being reclaimed for what the engine writes."""
        return self._worker is not None and self._worker.is_alive()

    @property
    def holds(self) -> bool:
        """Whether nobody needs to be stopped for now."""
        return self.makes_room and time.monotonic() < self._end_s

    def begin(self) -> None:
        """Get ready for what begins now."""
        if self._preparation is None:
            self._preparation = threading.Thread(target=self._prepare, name="tonnage-prepare", daemon=True)
            self._preparation.start()

    def sample(self, nearest: Nearest | None, now_s: float, *, writes: bool) -> None:
        """Look at one sample, and brake at once where that is needed.

        Args:
            nearest: What comes to its reserve first.
            now_s: On the monotonic clock.
            writes: Whether it may be the engine that writes: steps of builds are frozen, or there are none.
        """
        with self._lock:
            if self._still_until_s:
                if now_s >= self._still_until_s:
                    self._run(now_s)
                return
            if nearest is None or not writes or self._closed or not self._opened():
                self._ending = self._ending and nearest is not None
                return
            if not self.makes_room and not self._ending and now_s >= self._no_room_until_s:
                self._begin_room(nearest.mount, now_s)
            if nearest.is_now and now_s - self._ran_s >= _RUNS_S:
                self._brake(nearest, now_s)

    def _brake(self, nearest: Nearest, now_s: float) -> None:
        if self.makes_room:
            # Where it frees more than it writes it may go on.
            rises = self._ran_at == nearest.mount and nearest.available_bytes >= self._ran_bytes
            if not rises and now_s < self._end_s:
                self._stop(nearest, now_s, _STILL_S)
            self._ran_bytes, self._ran_at = nearest.available_bytes, nearest.mount
        elif nearest.available_bytes < self._lines[nearest.mount] and not self._ending:
            self._ending = True
            self._stop(nearest, now_s, _BEFORE_END_S)

    def close(self) -> None:
        """Let the engine run, and end."""
        with self._lock:
            self._closed = True
            self._groups.run_engine()
            self._still_until_s = 0.0
            threads = (self._worker, self._preparation)
        for each in threads:
            if each is not None:
                each.join()
        if self._is_open:
            self._note.close()

    def _opened(self) -> bool:
        if self._is_open is None:
            self._is_open = bool(self._groups.engine_names()) and self._note.open()
            if not self._is_open:
                self._tell("the disk comes near its reserve, and the engine itself cannot be stopped here")
        return self._is_open

    def _begin_room(self, mount: str, now_s: float) -> None:
        if not self._alone():
            return
        self._end_s, self._ran_at = now_s + _MOST_S, ""
        self._worker = threading.Thread(target=self._make_room, args=(mount,), name="tonnage-brake", daemon=True)
        self._worker.start()

    def _make_room(self, mount: str) -> None:
        began_s = time.monotonic()
        freed_bytes = 0
        try:
            freed_bytes = self._room(mount)
        except Exception as error:  # noqa: BLE001 - whatever it is, the run goes on without
            self._tell(f"nothing more is reclaimed for what the engine writes: {error}")
        if freed_bytes < _ENOUGH_BYTES:
            self._no_room_until_s = time.monotonic() + _TRY_AGAIN_S
        what = f"{format_bytes(freed_bytes)} were reclaimed" if freed_bytes else "nothing can be reclaimed"
        seconds = time.monotonic() - began_s
        self._tell(f"{what} while the engine itself writes towards the reserve of {mount} ({seconds:.1f} s)")

    def _stop(self, nearest: Nearest, now_s: float, for_s: float) -> None:
        """Have the engine stand still, unless others would wait for it as well."""
        until_s = now_s + for_s + _LATER_S
        if not self._alone() or not self._note.write(self._groups.engine_names(), until_s):
            self._ran_s = now_s
        elif self._groups.stop_engine(until_s):
            self._still_until_s = now_s + for_s
            self._tell_once(nearest.mount)
        else:
            self._run(now_s)

    def _run(self, now_s: float) -> None:
        self._groups.run_engine()
        self._note.write((), 0.0)
        self._still_until_s, self._ran_s = 0.0, now_s

    def _tell_once(self, mount: str) -> None:
        if not self._said:
            self._said = True
            self._tell(f"the engine itself writes up to the reserve of {mount}: it stands still for moments")
