"""Plays a round: a run is struck, everything is looked at, and the next run has to reach what the struck one wanted."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.scenarios.driving import Ended
from tests.scenarios.kills.blows import Way
from tests.scenarios.kills.ground import missing
from tests.scenarios.kills.striking import empty, entries, settled, start_engine, strike
from tests.scenarios.watching import available_bytes

from tonnage.model.deploy.run import Outcome

if TYPE_CHECKING:
    from tests.scenarios.driving import Running
    from tests.scenarios.kills.blows import Blow, Round
    from tests.scenarios.kills.ground import Ground

_WITHIN_S = 600.0
_UNEXPECTED = 1
_LAST_LINES = 25


@dataclass
class Told:
    """What came of a round.

    Args:
        at: Where each blow struck; those that came too late are not among them.
        ways: What these did.
        faults: What was wrong.
        said: What the programs said.
    """

    at: list[str] = field(default_factory=list)
    ways: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


def play(ground: Ground, play: Round) -> Told:
    """Strike a run, let it through in the end, and look at what comes of it."""
    return _Play(ground, play).play()


class _Play:
    def __init__(self, ground: Ground, round_: Round) -> None:
        self.ground, self.round, self.told = ground, round_, Told()
        self.project, self.command = ground.project, round_.command

    def play(self) -> Told:
        ground = self.ground
        wanted = self._prepare()
        arguments = self._arguments()
        good = ground.good()
        reached = False
        for blow in self.round.blows:
            if not reached:
                reached = self._strike(blow, arguments)
                self._lost(f"after {blow}", good)
                self._silent()
        if not reached:
            self._must("the next run", *arguments)
        if self.command == "build":
            self._must("the deploy of what was built", "deploy", *self.round.services)
        self._lost("after the next run", good)
        for fault in (*ground.shows(wanted), *ground.left()):
            self.told.faults.append(f"after the next run: {fault}")
        if self.command in {"deploy", "build"}:
            ground.before.update({name: ground.now[name] for name in self.round.services})
        elif self.command == "rollback":
            for name in self.round.services:
                ground.before.pop(name)
        ground.now = wanted
        return self.told

    def _prepare(self) -> dict[str, int]:
        """Prepare what is run, and return what the services have to show after it."""
        ground, services = self.ground, self.round.services
        if self.command in {"deploy", "build"}:
            return ground.change(services)
        if self.command == "rollback":
            without = [name for name in services if name not in ground.before]
            if without:
                ground.before.update({name: ground.now[name] for name in without})
                ground.now = ground.change(without)
                self._must("a deploy that is not struck", "deploy", *without)
            return {**ground.now, **{name: ground.before[name] for name in services}}
        if self.command == "reclaim":
            ground.leave_images()
        return ground.now

    def _arguments(self) -> list[str]:
        match self.command:
            case "reclaim":
                until_bytes = available_bytes(self.ground.real.images_mount) + 3_000_017
                return ["reclaim", "--yes", "--until", f"{until_bytes}B"]
            case "rehearse":
                return ["rehearse", "--disk", "300MB"]
        return [self.command, *self.round.services]

    def _strike(self, blow: Blow, arguments: list[str]) -> bool:
        """Strike one run, and return whether it had reached what it wanted."""
        ground = self.ground
        before = entries(ground.journal)
        running = self.project.start(*arguments, environment=ground.environment)
        struck = strike(blow, running, ground.real, ground.journal, before)
        ground.see_rehearsals()
        ended = self._end_of(running, f"struck by {blow}" if struck else "before the blow")
        if struck and blow.way is Way.ENGINE:
            start_engine(ground.real)
        if struck and blow.way is Way.DISK:
            empty(ground.real.images_mount)
        if not struck:
            if ended.exit_code:
                self.told.faults.append(f"the run ended with {ended.exit_code} before the blow")
            return ended.exit_code == 0
        # The engine of a rehearsal goes on until the next one sweeps it.
        if not blow.at_once and self.command != "rehearse" and not settled(self.project.name):
            self.told.faults.append("programs of the killed run go on")
        runs = self.project.runs()
        self.told.ways.append(blow.way.value)
        self.told.at.append(f"{blow} in {runs[0].steps[-1].name if runs and runs[0].steps else 'no step'}")
        # A deploy that is done is done again, and has nothing to do.
        begun = entries(ground.journal) > before
        return begun and runs[0].outcome is Outcome.DONE and self.command == "rollback"

    def _must(self, what: str, *arguments: str) -> None:
        ended = self._end_of(self.project.start(*arguments, environment=self.ground.environment), what)
        if ended.exit_code:
            self.told.faults.append(f"{what} ends with {ended.exit_code}")

    def _end_of(self, running: Running, what: str) -> Ended:
        """Wait for the end of a command; one that does not come to it is killed, and that is a fault."""
        try:
            ended = running.wait(within_s=_WITHIN_S)
        except AssertionError as late:
            self.told.faults.append(f"{what}: it did not end within {_WITHIN_S:g} s")
            ended = Ended(-signal.SIGKILL, "", str(late), _WITHIN_S)
        self._hear(what, ended)
        return ended

    def _hear(self, what: str, ended: Ended) -> None:
        lines = ended.stderr.splitlines()
        self.told.said.append("\n".join([f"{what}: exit {ended.exit_code}", *lines[-_LAST_LINES:]]))
        if ended.exit_code == _UNEXPECTED or "unexpected failure" in ended.stderr:
            self.told.faults.append(f"{what}: an unexpected failure")

    def _lost(self, when: str, good: dict[str, str]) -> None:
        gone = self.ground.lost()
        for each in (*gone, *missing(good, self.project.engine.images())):
            self.told.faults.append(f"{when} is lost: {each}")

    def _silent(self) -> None:
        """What does not answer has to be in the plan of what comes next."""
        silent = self.ground.silent()
        if not silent:
            return
        options = ["--rollback"] if self.command == "rollback" else ["--again"]
        ended = self._end_of(self.project.start("plan", *options, environment=self.ground.environment), "plan")
        for name in silent:
            if f"{name}." not in ended.stdout + ended.stderr:
                self.told.faults.append(f"{name} does not answer, and the next plan does not say so")
