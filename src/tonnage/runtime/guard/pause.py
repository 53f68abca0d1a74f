"""Pauses builds when the disk is about to be at its reserve: freezes their steps, has room made, and thaws them.

The thread that samples freezes, at once; a thread of its own waits, has things reclaimed, and thaws. Where several
builds run, the one that gives back most at its end is paused first, a moment earlier, and nothing else begins.
Where no room can be made, builds go on up to the reserve; there they are frozen again, and while nothing is written the
guard of the run stops the newest, as it does without any of this.

What is frozen is always thawed: here, by a deadline, by the watchdog of :class:`StepGroups`, or by the next command for
the note beside the locks. Without both of the latter nothing is frozen.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Protocol

from tonnage.adapters.interface import BuildMark
from tonnage.decide.guard.free_space_rate import Falling
from tonnage.model.deploy.plan import Build, Pull
from tonnage.runtime.guard.brake import EngineBrake
from tonnage.runtime.guard.frozen_note import FrozenNote
from tonnage.runtime.guard.watched import Stopping, WatchedBuild
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tonnage.adapters.interface import Cancel, StepGroups
    from tonnage.decide.guard.free_space_rate import Nearest
    from tonnage.model.deploy.plan import Step
    from tonnage.model.stack import BuildSpec
    from tonnage.runtime.guard.brake import Brakes

DEADLINE_S = 120.0
"""Downloads of pip and uv were frozen for 200 s and went on."""
_AFTER_DEADLINE_S = 5.0
"""So much later the watchdog thaws."""
_LEAST_ROOM_BYTES = 256_000_000
"""What room is made for at least."""
_ENOUGH_BYTES = 50_000_000
"""With less room than that it is not worth going on: builds would be frozen again at once."""
_LOOK_EVERY_S = 0.02
_TRY_AGAIN_S = 60.0
_DIE_WITHIN_S = 3.0
_FREEZE_WITHIN_S = 1.0
_CALM_S = 1.0


class MakeRoom(Protocol):
    """Reclaims while builds wait."""

    def __call__(self, missing_bytes: int, cancel: Cancel) -> int:
        """Remove what may go and no plan needs until so much more is available; return how many bytes came free."""


class BuildPause:
    """Pauses the builds of one run.

    Args:
        groups: What freezes.
        lines: The reserve of each filesystem that is guarded, by mount.
        make_room: Reclaims; None where nothing may go.
        tell: Is told what people should know, from more than one thread.
        cancel: Set when the run is to be stopped.
        note: Where it is written down what is frozen; None for the usual place.
        brakes: What there is for having the engine itself stand still; None where it must not.
    """

    def __init__(
        self,
        groups: StepGroups,
        lines: Mapping[str, int],
        *,
        make_room: MakeRoom | None,
        tell: Callable[[str], None],
        cancel: threading.Event,
        note: FrozenNote | None = None,
        deadline_s: float = DEADLINE_S,
        brakes: Brakes | None = None,
    ) -> None:
        self._groups = groups
        self._lines = dict(lines)
        self._make_room = make_room
        self._tell = tell
        self._cancel = cancel
        self._note = note or FrozenNote()
        self._deadline_s = deadline_s
        self._falling = Falling(lines)
        self._changed = threading.Condition(threading.RLock())
        self._builds: dict[str, WatchedBuild] = {}
        self._available: dict[str, int] = {}
        self._is_open: bool | None = None
        self._quick = False
        self._all_frozen = False
        self._gave_up = False
        self._being_stopped = False
        self._paused = ""
        self._calm_since_s = 0.0
        self._until_s = 0.0
        self._looked_s = 0.0
        self._no_room_until_s = 0.0
        self._worker: threading.Thread | None = None
        self._closed = threading.Event()
        self._opening = threading.Lock()
        self._said = False
        self._reclaims = False
        self._looked_engine_s = 0.0
        self._steps_run = False
        self._brake = EngineBrake(groups, self._lines, room=self._reclaim, given=brakes, tell=tell) if brakes else None

    @property
    def quick(self) -> bool:
        """Whether the reserve is near, so that samples should be taken more often."""
        return self._quick

    @property
    def holds(self) -> bool:
        """Whether nothing of the builds is written and nobody needs to be stopped for now."""
        if self._brake is not None and self._brake.holds:
            return True
        return self._all_frozen and not self._gave_up

    @property
    def is_pausing(self) -> bool:
        """Whether any build is paused: nothing else should begin meanwhile."""
        return self._all_frozen or bool(self._paused) or (self._brake is not None and self._brake.makes_room)

    @property
    def makes_room(self) -> bool:
        """Whether something is being reclaimed, so that nobody knows what a build alone did to the disk."""
        return self._reclaims

    @contextlib.contextmanager
    def watching(self, step: Step) -> Iterator[None]:
        """Watch a step while it runs, where it builds, or pulls and the engine itself may stand still."""
        spec = step.action.spec if isinstance(step.action, Build) else None
        if spec is None and not (self._brake is not None and isinstance(step.action, Pull)):
            yield
            return
        self.begin(step.name, spec, kept_bytes=step.kept.high_bytes, transient_bytes=step.transient.high_bytes)
        try:
            yield
        finally:
            self.end(step.name)

    def begin(self, name: str, spec: BuildSpec | None, *, kept_bytes: int, transient_bytes: int) -> None:
        """Watch a build that begins now.

        Args:
            spec: What is built; None where the engine does all of it.
            kept_bytes: What it keeps at most, as far as that is known.
            transient_bytes: What it needs besides and gives back.
        """
        with self._opening:
            if self._is_open is None:
                self._is_open = self._groups.open() and self._note.open()
            if not self._is_open:
                return
            mark = self._groups.mark(spec) if spec is not None else BuildMark(frozenset(), 0.0)
        if self._brake is not None:
            self._brake.begin()
        with self._changed:
            self._builds[name] = WatchedBuild(mark, max(0, kept_bytes) + max(0, transient_bytes), transient_bytes)

    def end(self, name: str) -> None:
        """Watch a build no longer."""
        with self._changed:
            build = self._builds.pop(name, None)
            if build is not None:
                self._thaw([build])
                self._being_stopped = False
                if not self._builds:
                    self._all_frozen = False
                if self._paused and (self._paused == name or len(self._builds) == 1):
                    self._go_on()
                self._changed.notify_all()

    def close(self) -> None:
        """Thaw whatever is frozen, and end."""
        self._closed.set()
        with self._changed:
            self._thaw(self._builds.values())
            self._all_frozen = False
            self._changed.notify_all()
            worker = self._worker
        if self._brake is not None:
            self._brake.close()
        if worker is not None:
            worker.join()
        self._groups.close()
        self._note.close()

    def sample(self, available: Mapping[str, int]) -> None:
        """Look at one sample, and freeze at once where that is needed."""
        now_s = time.monotonic()
        nearest = self._falling.sample(now_s, available)
        self._quick = nearest is not None and nearest.is_soon and bool(self._builds)
        with self._changed:
            self._available = dict(available)
            if self._brake is not None:
                self._brake.sample(nearest, now_s, writes=self._quick and self._engine_writes(now_s))
            if not self._is_open or not self._builds or self._closed.is_set():
                if nearest is not None and nearest.is_now and self._is_open is False and not self._said:
                    self._said = True
                    self._say_why_not()
                return
            if self._all_frozen:
                self._while_frozen(now_s)
            elif nearest is not None and nearest.is_now:
                self._at_reserve(nearest, now_s)
            elif nearest is not None and nearest.is_soon and not self._paused and len(self._builds) > 1:
                self._pause_one(nearest, now_s)
            elif self._paused:
                self._while_paused(nearest, now_s)

    def _say_why_not(self) -> None:
        if why := self._groups.why_not():
            self._tell(f"the disk comes near its reserve, and builds are not paused there: {why}")

    def _at_reserve(self, nearest: Nearest, now_s: float) -> None:
        if now_s - self._looked_s < _LOOK_EVERY_S and nearest.seconds > 0:
            return
        self._looked_s = now_s
        below = nearest.available_bytes < self._lines[nearest.mount]
        hopeless = now_s < self._no_room_until_s
        if (hopeless and not below) or self._reclaims or (self._worker is not None and self._worker.is_alive()):
            return
        if self._being_stopped and below:
            # It was frozen once for that; what is being stopped has to run to end.
            return
        self._until_s = now_s + self._deadline_s
        if not self._freeze(self._builds):
            return
        self._paused = ""
        self._all_frozen, self._gave_up = True, False
        self._worker = threading.Thread(
            target=self._work, args=(nearest.mount, hopeless), name="tonnage-pause", daemon=True
        )
        self._worker.start()

    def _while_frozen(self, now_s: float) -> None:
        if now_s > self._until_s:
            self._no_room_until_s = now_s + _TRY_AGAIN_S
            self._tell("builds were paused for as long as may be; they go on")
            self._go_on()
        elif now_s - self._looked_s >= _LOOK_EVERY_S and not self._gave_up:
            # A further step of the same builds may have begun meanwhile.
            self._looked_s = now_s
            self._freeze(self._builds)

    def _pause_one(self, nearest: Nearest, now_s: float) -> None:
        if now_s - self._looked_s < _LOOK_EVERY_S:
            return
        self._looked_s = now_s
        largest = max(self._builds, key=lambda name: self._builds[name].transient_bytes)
        self._until_s = now_s + self._deadline_s
        if self._freeze([largest]):
            self._paused, self._calm_since_s = largest, 0.0
            self._tell(f"{largest} is paused: {nearest.mount} comes near its reserve, and others go on")

    def _while_paused(self, nearest: Nearest | None, now_s: float) -> None:
        if nearest is not None and nearest.is_soon:
            self._calm_since_s = 0.0
        elif not self._calm_since_s:
            self._calm_since_s = now_s
        calm = self._calm_since_s and now_s - self._calm_since_s > _CALM_S
        if calm or now_s > self._until_s or self._cancel.is_set():
            self._go_on()

    def _freeze(self, names: Iterable[str]) -> bool:
        """Freeze the steps of builds that are not frozen yet; return whether there was one and it could be done."""
        wanted: list[str] = []
        names = set(names)
        for name, groups in self._running().items():
            if name in names:
                new = [each for each in groups if each not in self._builds[name].groups]
                self._builds[name].groups += new
                wanted += new
        if not wanted:
            return False
        until_s = self._until_s + _AFTER_DEADLINE_S
        every = [group for build in self._builds.values() for group in build.groups]
        if self._note.write(every, until_s) and self._groups.freeze(wanted, until_s):
            return True
        self._thaw(self._builds.values())
        self._all_frozen, self._paused = False, ""
        return False

    def _thaw(self, builds: Iterable[WatchedBuild]) -> None:
        """Thaw the steps of builds."""
        for build in tuple(builds):
            if build.groups:
                self._groups.thaw(build.groups)
                build.groups = []
        every = [group for build in self._builds.values() for group in build.groups]
        self._note.write(every, self._until_s + _AFTER_DEADLINE_S)

    def _go_on(self) -> None:
        with self._changed:
            self._thaw(self._builds.values())
            self._all_frozen, self._gave_up, self._paused = False, False, ""
            self._falling.forget()
            self._changed.notify_all()

    def _work(self, mount: str, hopeless: bool) -> None:  # noqa: FBT001 - the argument of a thread
        """Wait until nothing is written, have room made, and let builds go on; or have the newest stopped."""
        try:
            end_s = time.monotonic() + _FREEZE_WITHIN_S
            while time.monotonic() < end_s and not self._groups.are_frozen(self._every_group()):
                time.sleep(_LOOK_EVERY_S / 4)
            if not hopeless:
                self._room(mount)
            if self._all_frozen and self._headroom_bytes(mount) < 0:
                self._give_up(mount)
        finally:
            self._go_on()

    def _room(self, mount: str) -> None:
        began_s, freed_bytes = time.monotonic(), 0
        try:
            freed_bytes = self._reclaim(mount)
        except Exception as error:  # noqa: BLE001 - whatever it is, builds must not stay frozen for it
            self._tell(f"nothing more is reclaimed while builds wait: {error}")
        enough = self._headroom_bytes(mount) >= _ENOUGH_BYTES
        if not enough:
            self._no_room_until_s = time.monotonic() + _TRY_AGAIN_S
        seconds = time.monotonic() - began_s
        what = f"{format_bytes(freed_bytes)} were reclaimed" if freed_bytes else "nothing can be reclaimed"
        then = "builds go on" if enough or self._headroom_bytes(mount) >= 0 else "the newest build is stopped"
        self._tell(f"builds were paused for {seconds:.1f} s before the reserve of {mount}: {what}; {then}")

    def _reclaim(self, mount: str) -> int:
        """Have room made for what runs now; return how many bytes came free."""
        if self._make_room is None or self._cancel.is_set():
            return 0
        with self._changed:
            needs_bytes = sum(build.needs_bytes for build in self._builds.values())
        self._reclaims = True
        try:
            missing_bytes = max(needs_bytes, _LEAST_ROOM_BYTES) - self._headroom_bytes(mount)
            return self._make_room(missing_bytes, Stopping(self._cancel, self._closed))
        finally:
            # What came free is there a moment later on some filesystems, and the next sample tells it.
            time.sleep(2 * _LOOK_EVERY_S)
            self._reclaims = False

    def _engine_writes(self, now_s: float) -> bool:
        """Return whether no step of a build runs, so that it is the engine that writes; looked at now and then."""
        if now_s - self._looked_engine_s >= _LOOK_EVERY_S:
            self._looked_engine_s = now_s
            self._steps_run = any(self._running().values())
        return not self._steps_run and not self._all_frozen

    def _give_up(self, mount: str) -> None:
        """Have the guard stop what it stops; thaw what has to end for that, and the rest when it has."""
        with self._changed:
            builds = dict(self._builds)
            self._gave_up = self._being_stopped = True
        end_s = time.monotonic() + _DIE_WITHIN_S
        while time.monotonic() < end_s and not self._closed.is_set():
            with self._changed:
                ending = [each for each in self._builds.values() if each.groups and self._groups.are_ended(each.groups)]
                if ending:
                    self._thaw(ending)
                if len(self._builds) < len(builds) or self._headroom_bytes(mount) >= 0:
                    return
                self._changed.wait(_LOOK_EVERY_S)

    def _running(self) -> Mapping[str, Sequence[str]]:
        return self._groups.of_builds({name: build.mark for name, build in self._builds.items()})

    def _every_group(self) -> list[str]:
        with self._changed:
            return [group for build in self._builds.values() for group in build.groups]

    def _headroom_bytes(self, mount: str) -> int:
        return self._available.get(mount, 0) - self._lines[mount]
