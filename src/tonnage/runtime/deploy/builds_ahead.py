"""Begins builds and pulls of a plan before their turn, beside the step whose turn it is.

The steps of a plan are still done in its order, by the thread of the run; when the turn of one comes that has begun
before, that thread waits for it. Images are begun in the order of the plan, for of layers that several share the first
one's estimate alone has the bytes. What may begin is decided by :mod:`tonnage.decide.schedule.admission`.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tonnage.decide.schedule.admission import Under, fits_beside, gets_an_image, is_alone, may_begin, waits_for
from tonnage.errors import TonnageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tonnage.model.deploy.plan import Plan, Step


class GaveWayError(TonnageError):
    """A step that began before its turn was stopped and undone for others: it is done in its turn."""


class BuildsAhead:
    """What of a plan has begun, is done and may begin.

    Args:
        at_once: How many images are built or pulled at the same time; with 1 nothing begins before its turn.
        attempt: Carries out one step, given its number in the plan from 1, and returns why it failed.
        room: Returns what is available now, and what must remain.
        apart: Builds with a layer in common do not run at the same time.
    """

    def __init__(
        self,
        plan: Plan,
        at_once: int,
        attempt: Callable[[Step, int], TonnageError | None],
        room: Callable[[], tuple[int, int]],
        *,
        apart: bool = False,
    ) -> None:
        self._steps = plan.steps
        self._at_once = at_once
        self._attempt = attempt
        self._room = room
        self._apart = apart
        self._changed = threading.Condition()
        self._under = Under(began_bytes=plan.available_bytes)
        self._begun: set[int] = set()
        self._done: set[int] = set()
        self._threads: dict[int, threading.Thread] = {}
        self._ended: dict[int, TonnageError | BaseException | None] = {}
        self._turn_waits = False
        self._closed = False

    def carry_out(self, place: int, attempt: Callable[[], TonnageError | None]) -> TonnageError | None:
        """Carry out the step at this place, from 0, whose turn it is, or wait for it where it has begun before.

        Args:
            attempt: Carries it out, and returns why it failed.

        Raises:
            BaseException: What ended it from outside.
        """
        if self._at_once == 1:
            return attempt()
        with self._changed:
            ahead = self._threads.pop(place, None)
            if ahead is None:
                self._begin_in_turn(place)
        if ahead is None:
            try:
                return attempt()
            finally:
                self._end(place)
        ahead.join()
        error = self._ended.pop(place)
        if isinstance(error, GaveWayError):
            return self.carry_out(place, attempt)
        if isinstance(error, TonnageError) or error is None:
            return error
        raise error

    def stop(self) -> list[tuple[Step, TonnageError]]:
        """Begin nothing more and wait for what runs; return what failed before its turn came."""
        with self._changed:
            self._closed = True
        while self._threads:
            self._threads.pop(next(iter(self._threads))).join()
        return [
            (self._steps[place], error)
            for place, error in sorted(self._ended.items())
            if isinstance(error, TonnageError) and not isinstance(error, GaveWayError)
        ]

    def _begin_in_turn(self, place: int) -> None:
        step = self._steps[place]
        self._begun.add(place)
        self._turn_waits = True
        while self._under.running and (is_alone(step) or not fits_beside(step, self._under, *self._room())):
            self._changed.wait()
        self._turn_waits = False
        self._begin(step)
        self._let_begin()

    def _begin(self, step: Step) -> None:
        if not self._under.running:
            self._under = Under(began_bytes=self._room()[0])
        self._under = self._under.begun(step)

    def _end(self, place: int, *, undone: bool = False) -> None:
        with self._changed:
            self._under = self._under.ended(self._steps[place], undone=undone)
            if not undone:
                self._done.add(place)
            self._changed.notify_all()
            # Between two steps of the plan nothing begins: the next one in turn comes first.
            if self._under.running:
                self._let_begin()

    def _let_begin(self) -> None:
        while not (self._closed or self._turn_waits) and (place := self._next()) is not None:
            self._begun.add(place)
            self._begin(self._steps[place])
            self._threads[place] = threading.Thread(target=self._run, args=(place,), name=self._steps[place].name)
            self._threads[place].start()

    def _next(self) -> int | None:
        """Return the step that may begin now before its turn."""
        running = self._under.running
        if any(is_alone(each) for each in running) or sum(map(gets_an_image, running)) >= self._at_once:
            return None
        waiting = [place for place in range(len(self._steps)) if place not in self._begun]
        place = next((each for each in waiting if gets_an_image(self._steps[each])), None)
        if place is None or waits_for(place, self._steps, self._done, apart=self._apart):
            return None
        rest = (self._steps[each] for each in waiting if each != place)
        return place if may_begin(self._steps[place], self._under, rest, *self._room()) else None

    def _run(self, place: int) -> None:
        error: TonnageError | BaseException | None = None
        try:
            error = self._attempt(self._steps[place], place + 1)
        except BaseException as failure:  # noqa: BLE001 - raised where the run waits for it
            error = failure
        self._ended[place] = error
        if error is not None:
            # After one gave way the rest is done step by step: some estimate was too low.
            self._closed = True
        self._end(place, undone=isinstance(error, GaveWayError))
