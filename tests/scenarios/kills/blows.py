"""What is done to runs, and when: each round follows from a seed and its position, so that it can be played again."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SERVICES = ("web", "store")


class Way(StrEnum):
    """What happens to the machine."""

    GROUP = "group"
    """The process group is killed; the programs that it started go on."""
    ALL = "all"
    """Everything that the run started is killed with it, as by a service manager or the end of a container."""
    ENGINE = "engine"
    """The engine is killed, and started again once the run has ended."""
    DISK = "disk"
    """Something else fills the disk up to some bytes."""


@dataclass(frozen=True, slots=True)
class Blow:
    """One blow.

    Args:
        entry: After how many entries of the journal; 0 counts from the start of the program.
        after_s: Seconds after that entry.
        left_bytes: What is left of the disk, where that is filled.
        at_once: Whether the next run begins while programs of the killed one may still go on.
    """

    way: Way
    entry: int
    after_s: float
    left_bytes: int = 0
    at_once: bool = False

    def __str__(self) -> str:
        left = f" leaving {self.left_bytes / 1e6:.1f} MB" if self.way is Way.DISK else ""
        return f"{self.way}@{self.entry}+{self.after_s * 1000:.0f}ms{left}{', next at once' if self.at_once else ''}"


@dataclass(frozen=True, slots=True)
class Round:
    """A run that is struck, and struck again as often as it is begun anew, until it is let through.

    Args:
        command: deploy, rollback, reclaim, rehearse or build.
        services: Those that it is about.
    """

    command: str
    services: tuple[str, ...]
    blows: tuple[Blow, ...]

    def __str__(self) -> str:
        return f"{self.command} {' '.join(self.services)}: {'; '.join(map(str, self.blows))}"


# About as many entries as a run has for each service. A run that ends before its blow came through unhurt.
_ENTRIES = {"deploy": 17, "rollback": 9, "reclaim": 4, "build": 3, "rehearse": 20}
_AGAIN = 6
ALL = {"deploy": 9, "rollback": 4, "reclaim": 1, "build": 2, "rehearse": 1}
"""Commands, each as often as it is run in so many rounds."""
QUICK = {"deploy": 3, "rollback": 2, "reclaim": 1, "build": 1}
"""Those that take no more than seconds."""
_REHEARSAL_S = 6.0
_MOST_LEFT_BYTES = 40_000_000


def rounds(
    seed: int,
    *,
    most_blows: int,
    engines: float = 0.0,
    disks: float = 0.0,
    commands: Mapping[str, int] = ALL,
    services: Sequence[str] = SERVICES,
) -> Iterator[Round]:
    """Yield rounds without end.

    The entries of each command are gone through, so that enough blows hit every one; moments in between are chosen by
    chance.

    Args:
        engines: Which share of the blows hits the engine.
        disks: Which share fills the disk.
        services: Of which mostly one is struck.
    """
    chance = random.Random(f"rounds {seed}")
    order = [command for command, share in commands.items() for _ in range(share)]
    chance.shuffle(order)
    at = {command: chance.randrange(entries) for command, entries in _ENTRIES.items()}
    for number in itertools.count():
        command = order[number % len(order)]
        together = command in {"reclaim", "rehearse"} or chance.random() < 0.1
        about = tuple(services) if together else (chance.choice(services),)
        struck = []
        for again in range(chance.randint(1, most_blows)):
            # In steps that hit all entries sooner or later, and do not go from neighbour to neighbour.
            at[command] = (at[command] + 7) % (_ENTRIES[command] + 1)
            # What is left to do after a blow has fewer.
            entry = chance.randrange(_AGAIN) if again else at[command]
            luck = chance.random()
            way = Way.ENGINE if luck < engines else Way.DISK if luck < engines + disks else None
            struck.append(_blow(chance, way, command, entry))
        yield Round(command=command, services=about, blows=tuple(struck))


def _blow(chance: random.Random, way: Way | None, command: str, entry: int) -> Blow:
    rehearsal = command == "rehearse"
    after_s = chance.random() * (_REHEARSAL_S if rehearsal else 1.0) if chance.random() < 0.5 else 0.0
    return Blow(
        way=way or chance.choice((Way.GROUP, Way.ALL)),
        entry=0 if rehearsal and chance.random() < 0.5 else entry,
        after_s=after_s,
        left_bytes=int(chance.random() ** 2 * _MOST_LEFT_BYTES),
        at_once=chance.random() < 0.5,
    )
