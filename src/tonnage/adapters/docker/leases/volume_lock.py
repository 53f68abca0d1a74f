"""The lock of a stack on an engine that is reached by its interface alone (``tcp://``), where no file can be locked.

Every run has a volume of its own on the engine, empty, whose labels say which lock it is and what the run tells others.
A run writes its own first and looks then: of two that begin at once at least one sees the other, and gives way. Labels
cannot be changed, so a new text, and a sign of life, is a new volume, and the one before goes. A run that gave no sign
for a while is gone, and who comes next removes what it left. All times are the engine's own: nobody's clock counts.
"""

from __future__ import annotations

import random
import secrets
import threading
import time
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from tonnage.adapters.docker.error_translation import speaking_to
from tonnage.errors import TonnageError
from tonnage.lazily import regex

if TYPE_CHECKING:
    from collections.abc import Sequence

    from docker import APIClient

LABEL = "tonnage.run"
"""On a volume: the lock that it stands for."""
_TEXT_LABEL = "tonnage.run.text"
_LEASE_S = 90.0
"""Without a sign of life for so long a run is gone."""
_SIGN_EVERY_S = 20.0
_LOOK_EVERY_S = 0.5
_TRIES = 4
_LONGEST_PAUSE_S = 0.5
_NAME = regex(r"(?P<lock>.+)\.(?P<run>[0-9a-f]{16})\.(?P<number>[0-9]{1,9})")
_TIME = regex(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)")


class _Sign(Struct, frozen=True):
    """One volume of a run."""

    volume: str
    lock: str
    run: str
    number: int
    text: str
    made_s: float


class VolumeLock:
    """Satisfies :class:`tonnage.runtime.lock.RemoteLock` for one engine.

    Args:
        api: Of the engine; its owner closes it.
        endpoint: How it is reached, for messages.
        lease_s: Without a sign of life for so long a run is gone.
    """

    def __init__(self, api: APIClient, endpoint: str, *, lease_s: float = _LEASE_S) -> None:
        self._api = api
        self._endpoint = endpoint
        self._lease_s = lease_s
        self._run = secrets.token_hex(8)
        self._guard = threading.RLock()
        self._lock = self._beginning = self._text = ""
        self._mine: _Sign | None = None
        self._number = 0
        self._others: tuple[str, ...] = ()
        self._looked_s = 0.0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def acquire(self, name: str, beginning: str, text: str) -> str | None:
        """Take the lock ``name``, and tell ``text`` to those who come second.

        Returns:
            None when it is held now, otherwise the text of the one who holds it.

        Raises:
            TonnageError: The engine does not answer, or lets nobody make volumes.
        """
        self._lock, self._beginning = name, beginning
        held_by = ""
        for _ in range(_TRIES):
            self._say(text)
            signs = self._signs()
            self._remove_ended(signs)
            others = [each for each in self._alive(signs) if each.lock == name]
            if not others:
                self._stop.clear()
                self._thread = threading.Thread(target=self._go_on, name="engine lock", daemon=True)
                self._thread.start()
                return None
            held_by = others[0].text
            self._take_back()
            # Two that began at once both give way, and hardly do so twice at the same moments.
            time.sleep(random.uniform(0.0, _LONGEST_PAUSE_S))  # noqa: S311 - no secret
        return held_by

    def held_by(self, name: str) -> str | None:
        """Return what the run tells that holds the lock ``name``; None where none does. Says nothing of this run.

        Raises:
            TonnageError: The engine does not answer.
        """
        signs = [each for each in self._signs() if each.lock == name]
        return next((each.text for each in self._alive(signs)), None) if signs else None

    def release(self) -> None:
        """Give it back; harmless when it is not held."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        # An engine that does not answer any more removes nothing: the next run there does.
        with suppress(TonnageError):
            self._take_back()

    def texts(self, name: str, beginning: str) -> tuple[str, ...]:
        """Return what the runs of other locks tell, as of half a second ago where this one is held.

        Raises:
            TonnageError: The engine does not answer.
        """
        with self._guard:
            if self._mine is None or time.monotonic() - self._looked_s >= _LOOK_EVERY_S:
                alive = self._alive(self._signs())
                self._others = tuple(
                    each.text for each in alive if each.lock.startswith(beginning) and each.lock != name
                )
                self._looked_s = time.monotonic()
            return self._others

    def write(self, text: str) -> tuple[str, ...]:
        """Tell another text; return what others tell after that.

        Raises:
            TonnageError: The engine does not answer.
        """
        with self._guard:
            self._say(text)
            self._looked_s = 0.0
            return self.texts(self._lock, self._beginning)

    def _go_on(self) -> None:
        while not self._stop.wait(min(_SIGN_EVERY_S, self._lease_s / 4)):
            with suppress(TonnageError):
                self._say(self._text)

    def _say(self, text: str) -> None:
        """Make a volume that says so, then remove the one before."""
        with self._guard:
            before, self._text = self._mine, text
            self._number += 1
            name = f"{self._lock}.{self._run}.{self._number}"
            with speaking_to(self._endpoint, "tell other runs of this one"):
                made = self._api.create_volume(name, labels={LABEL: self._lock, _TEXT_LABEL: text})
                self._mine = _sign(made)
                if before is not None:
                    self._remove(before)

    def _take_back(self) -> None:
        with self._guard, speaking_to(self._endpoint, "end the lock of this run"):
            mine, self._mine = self._mine, None
            if mine is not None:
                self._remove(mine)

    def _signs(self) -> list[_Sign]:
        with speaking_to(self._endpoint, "look for other runs"):
            told = self._api.volumes(filters={"label": LABEL}).get("Volumes") or ()
        return [sign for sign in map(_sign, told) if sign is not None]

    def _alive(self, signs: Sequence[_Sign]) -> list[_Sign]:
        """Return the newest sign of each other run that gave one lately."""
        newest: dict[str, _Sign] = {}
        for each in signs:
            if each.run != self._run and (each.run not in newest or newest[each.run].number < each.number):
                newest[each.run] = each
        now_s = self._now_s()
        return [each for each in newest.values() if now_s - each.made_s < self._lease_s]

    def _now_s(self) -> float:
        """Return the time of the engine: that of the sign just made, or as it tells it."""
        with self._guard:
            if self._mine is not None and self._thread is None:
                return self._mine.made_s
        with speaking_to(self._endpoint, "ask for its time"):
            return _seconds(str(self._api.info().get("SystemTime", "")))

    def _remove_ended(self, signs: Sequence[_Sign]) -> None:
        alive = {each.run for each in self._alive(signs)}
        for each in signs:
            if each.run not in {*alive, self._run}:
                with suppress(TonnageError), speaking_to(self._endpoint, "remove what a run left"):
                    self._remove(each)

    def _remove(self, sign: _Sign) -> None:
        from docker.errors import NotFound  # noqa: PLC0415 - it is loaded with the client

        with suppress(NotFound):
            self._api.remove_volume(sign.volume)


def _sign(told: dict[str, Any]) -> _Sign | None:
    """Read a volume; None where it is none of a run."""
    labels = told.get("Labels") or {}
    volume = str(told.get("Name", ""))
    found = _NAME.fullmatch(volume)
    if found is None or found["lock"] != labels.get(LABEL):
        return None
    made_s = _seconds(str(told.get("CreatedAt", "")))
    return _Sign(volume, found["lock"], found["run"], int(found["number"]), str(labels.get(_TEXT_LABEL, "")), made_s)


def _seconds(text: str) -> float:
    """Return seconds since the epoch; 0 for what is no time."""
    found = _TIME.match(text)
    return datetime.fromisoformat(found[1] + found[2].replace("Z", "+00:00")).timestamp() if found else 0.0
