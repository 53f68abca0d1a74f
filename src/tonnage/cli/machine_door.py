"""The real machine's files and directories, as a reclaim deals with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.adapters.catalogue import load_catalogue
from tonnage.adapters.held_open import held_open
from tonnage.adapters.places import find_places
from tonnage.adapters.removing import remove_place
from tonnage.decide.disposable import judge_machine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.adapters.interface import Cancel
    from tonnage.model.candidate import Candidate, Findings


class RealMachine:
    """Satisfies ``MachineDoor``.

    Args:
        environment: That of this process.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def find_places(
        self,
        *,
        mount: str,
        root: str,
        disposable: bool,
        only: Sequence[str],
        kept: Mapping[str, str],
        missing_bytes: int | None,
    ) -> Findings:
        """Return what of this machine's files and directories may go."""
        judged = judge_machine(self._environment, declared=disposable)
        return find_places(
            [entry for entry in load_catalogue() if not only or entry.kind in only],
            environment=self._environment,
            mount=mount,
            root=root or "/",
            disposable=judged.yes,
            why_not_disposable=judged.reason,
            kept=kept,
            missing_bytes=missing_bytes,
        )

    def remove_place(self, candidate: Candidate, cancel: Cancel) -> None:
        """Remove what was found so."""
        remove_place(candidate, cancel=cancel)

    def held_open(self, mount: str) -> Sequence[tuple[str, int]]:
        """Return programs that hold removed files open, with the bytes of those files on a filesystem."""
        return held_open(mount)
