"""What earlier runs measured, as forecasts take it: with the grade ``learned``, and its keys."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.model.forecast.estimate import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.forecast.estimate import Estimate

_LETTERS = 16


class LearnedStep(Struct, frozen=True, kw_only=True):
    """What earlier runs of one kind of step measured: forecast material with the grade ``learned``.

    Args:
        transient: Bytes needed on top and given back.
        seconds: How long it took, the last time.
        ran: The instructions that the builder carried out in these runs; None where that was not written down.
    """

    kept: Estimate
    transient: Estimate
    seconds: float
    runs: int
    ran: frozenset[str] | None = None


class LearnedInstruction(Struct, frozen=True, kw_only=True):
    """What earlier runs measured of one instruction.

    Args:
        image: Its layer as the engine counts it, unpacked: in containerd that are blocks of the disk.
        disk: What the filesystem kept; nothing known where it could not be told from others.
        compressed: Its layer compressed, where images lie in containerd; else nothing known.
    """

    image: Estimate
    disk: Estimate
    transient: Estimate
    runs: int
    compressed: Estimate = UNKNOWN


class InstructionsBefore:
    """What an instruction stands on and the instructions before it, as they count in its key."""

    def __init__(self, texts: Sequence[str] = ()) -> None:
        self._hash = hashlib.sha256()
        self._any = False
        for text in texts:
            self.add(text)

    def add(self, text: str) -> None:
        """Have one more before the next one."""
        self._hash.update(f"{chr(10) if self._any else ''}{_normal(text)}".encode(errors="surrogatepass"))
        self._any = True

    def copied(self) -> InstructionsBefore:
        """Return the same, to which other instructions may be added."""
        found = InstructionsBefore()
        found._hash, found._any = self._hash.copy(), self._any
        return found

    @property
    def key(self) -> str:
        """Their part of a learn key."""
        return self._hash.hexdigest()[:_LETTERS]


def learn_key(service: str, text: str, before: InstructionsBefore | Sequence[str] | None, store: str = "") -> str:
    """Return under which key an instruction is stored: how many blanks it has does not count.

    Args:
        store: The image store, where it is not the classic one: what one did says nothing of the other.
        before: What it stands on and the instructions before it; None where files of a context were among them.
    """
    others = ""
    if before is not None:
        others = (before if isinstance(before, InstructionsBefore) else InstructionsBefore(before)).key
    kind = f"instruction@{store}" if store else "instruction"
    return f"{kind}/{_hash(_normal(text))}/{_hash(service)}/{others}"


def lesson_keys(key: str) -> tuple[str, ...]:
    """Return under which keys a lesson is found, that of the service itself first.

    Returns:
        The keys: of the service, of the same instructions before (empty where there are none), of the same words.
    """
    parts = key.split("/")
    if len(parts) != 4:  # noqa: PLR2004 - kind, words, service, what was before
        return (key,)
    kind, words, service, before = parts
    return (f"{kind}/{words}/{service}", f"{kind}/{words}//{before}" if before else "", f"{kind}/{words}")


def _normal(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("\\\n", " ")).strip()


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:_LETTERS]
