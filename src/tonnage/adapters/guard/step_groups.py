"""The control groups of build steps of a local Docker engine: which build each is of, frozen and thawed."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from tonnage.adapters.context.dockerfiles import dockerfile_text
from tonnage.adapters.guard.build_steps import EngineSteps
from tonnage.adapters.guard.engine_process import engine_process
from tonnage.adapters.guard.freezer import Watchdog, freeze, is_ended, is_frozen, thaw
from tonnage.adapters.guard.process_pause import engine_names, pause_process, resume_process
from tonnage.adapters.interface import BuildMark
from tonnage.errors import TonnageError
from tonnage.sources.dockerfile.parser import read_instructions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tonnage.model.stack import BuildSpec

_BEGAN_BEFORE_S = 0.1
"""How much earlier a step may seem to start than its build: the kernel counts in hundredths."""


class DockerStepGroups:
    """Satisfies ``StepGroups``.

    Args:
        endpoint: How the engine is reached.
        data_root: Of the engine, as it says.
        beside: Whether a builder beside the engine builds, whose steps are not the engine's.
        swarm: Whether the engine is one of several: the others would take it for lost when it stands still.
    """

    def __init__(self, endpoint: str, data_root: str, *, beside: bool = False, swarm: bool = False) -> None:
        self._endpoint = endpoint
        self._data_root = data_root
        self._beside = beside
        self._swarm = swarm
        self._engine = 0
        self._still: tuple[str, ...] = ()
        self._steps: EngineSteps | None = None
        self._watchdog: Watchdog | None = None
        self._frozen: set[str] = set()

    def why_not(self) -> str:
        """Return why nothing can be frozen; empty where it can."""
        if not self._endpoint.startswith("unix://"):
            return "the engine is on another machine"
        if sys.platform != "linux":
            return "only Linux has control groups"
        if self._beside:
            return "a builder beside the engine builds"
        if os.geteuid() != 0:
            return "only root may freeze the steps of a build"
        if self._found() is None:
            return "the engine's process, or its control groups, cannot be seen from here"
        return ""

    def open(self) -> bool:
        """Begin; return whether anything can be frozen."""
        if self._watchdog is None and not self.why_not():
            with suppress(TonnageError):
                self._watchdog = Watchdog()
        return self._watchdog is not None

    def close(self) -> None:
        """Thaw what is still frozen, and end."""
        self.run_engine()
        self.thaw(tuple(self._frozen))
        if self._watchdog is not None:
            self._watchdog.close()
            self._watchdog = None

    def mark(self, spec: BuildSpec) -> BuildMark:
        """Return what the steps of a build that begins now will be known by; nothing where that cannot be read."""
        began_s = time.clock_gettime(time.CLOCK_BOOTTIME)
        try:
            return BuildMark(run_commands(dockerfile_text(spec)), began_s)
        except (TonnageError, OSError):
            return BuildMark(frozenset(), began_s)

    def of_builds(self, marks: Mapping[str, BuildMark]) -> Mapping[str, Sequence[str]]:
        """Return the groups of steps that run now and are certainly one of these builds', by its name.

        A step is a build's when it runs what an instruction of that build runs, and began after it. Where more steps
        run that than builds of these could, one of them is somebody else's: then none is.
        """
        if self._steps is None:
            return {}
        running = [(without_blanks(step.command), step) for step in self._steps.now()]
        found: dict[str, list[str]] = {}
        for said in {said for said, _ in running}:
            owners = [name for name, mark in marks.items() if said in mark.commands]
            same = [step for each, step in running if each == said]
            if not owners or len(same) > len(owners):
                continue
            for step in same:
                since = [name for name in owners if step.started_s >= marks[name].began_s - _BEGAN_BEFORE_S]
                if since:
                    found.setdefault(since[0], []).append(step.directory)
        return found

    def freeze(self, groups: Sequence[str], until_s: float) -> bool:
        """Begin to freeze groups; return whether that was done for all of them.

        Args:
            until_s: When they are thawed at the latest, whatever happens here, on the monotonic clock.
        """
        if self._watchdog is None or not self._watchdog.expect(groups, until_s):
            return False
        done = True
        for group in groups:
            self._frozen.add(group)
            try:
                freeze(group)
            except OSError:
                # A step that has ended meanwhile writes nothing either.
                done = done and not os.path.isdir(group)  # noqa: PTH112 - a string is asked for
        return done

    def are_frozen(self, groups: Sequence[str]) -> bool:
        """Return whether nothing of these groups runs any more."""
        return all(map(is_frozen, groups))

    def are_ended(self, groups: Sequence[str]) -> bool:
        """Return whether these groups have ended, or end as soon as they are thawed."""
        return all(map(is_ended, groups))

    def thaw(self, groups: Sequence[str]) -> bool:
        """Thaw groups; return whether that was done for all of them. Those that stay frozen the watchdog thaws."""
        thawed = []
        for group in groups:
            with suppress(OSError):
                thaw(group)
                thawed.append(group)
        self._frozen.difference_update(thawed)
        if self._watchdog is not None:
            self._watchdog.expect(thawed, 0.0)
        return len(thawed) == len(groups)

    def engine_names(self) -> tuple[str, ...]:
        """Return the engine's processes, as long as they are to be seen and nobody but this machine needs them."""
        return engine_names(self._engine) if self._engine and not self._swarm else ()

    def stop_engine(self, until_s: float) -> bool:
        """Have the engine itself stand still; return whether it does.

        Args:
            until_s: When it runs again at the latest, whatever happens here, on the monotonic clock.
        """
        names = self.engine_names()
        if not names or self._watchdog is None or not self._watchdog.expect(names, until_s):
            return False
        self._still = names
        return all(map(pause_process, names))

    def run_engine(self) -> None:
        """Let the engine run again. What cannot be told that the watchdog tells it."""
        names, self._still = self._still, ()
        running = [name for name in names if resume_process(name)]
        if self._watchdog is not None and running:
            self._watchdog.expect(running, 0.0)

    def _found(self) -> EngineSteps | None:
        if self._steps is None:
            engine = self._engine = engine_process(self._endpoint.removeprefix("unix://")) or 0
            steps = EngineSteps(engine, self._data_root) if engine else None
            self._steps = steps if steps is not None and steps.can_be_seen else None
        return self._steps


def run_commands(text: str) -> frozenset[str]:
    """Return what the instructions of a Dockerfile run, without blanks.

    Args:
        text: Of the Dockerfile.

    Returns:
        The commands, such as a step shows them that runs one.

    Raises:
        UsageError: It cannot be cut into instructions.
    """
    found = set()
    shell: tuple[str, ...] = ("/bin/sh", "-c")
    for instruction in read_instructions(text)[1]:
        if instruction.keyword == "FROM":
            shell = ("/bin/sh", "-c")
        elif instruction.keyword == "SHELL" and instruction.words:
            shell = instruction.words
        elif instruction.keyword == "RUN":
            documents = "".join(f"\n{each.body}{each.name}" for each in instruction.heredocs)
            words = instruction.words if instruction.words is not None else (*shell, f"{instruction.body}{documents}")
            found.add(without_blanks(words))
    return frozenset(found)


def without_blanks(words: Iterable[str]) -> str:
    """Return words in one, without what a builder may write otherwise: blanks and ends of continued lines."""
    return "\0".join("".join(word.replace("\\\n", "").split()) for word in words)
