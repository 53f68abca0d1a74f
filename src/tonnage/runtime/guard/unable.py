"""Stands in where no build step can be frozen, and nothing is to be said about that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.adapters.interface import BuildMark

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.model.stack import BuildSpec


class NothingFreezes:
    """Satisfies ``StepGroups``."""

    def why_not(self) -> str:
        """Return nothing: it is known why."""
        return ""

    def open(self) -> bool:
        """Return that nothing can be frozen."""
        return False

    def close(self) -> None:
        """Do nothing."""

    def mark(self, spec: BuildSpec) -> BuildMark:
        """Return a mark of no step."""
        del spec
        return BuildMark(frozenset(), 0.0)

    def of_builds(self, marks: Mapping[str, BuildMark]) -> Mapping[str, Sequence[str]]:
        """Return no groups."""
        del marks
        return {}

    def freeze(self, groups: Sequence[str], until_s: float) -> bool:
        """Freeze nothing."""
        del groups, until_s
        return False

    def are_frozen(self, groups: Sequence[str]) -> bool:
        """Return that nothing is."""
        return not groups

    def are_ended(self, groups: Sequence[str]) -> bool:
        """Return that nothing is."""
        return not groups

    def thaw(self, groups: Sequence[str]) -> bool:
        """Thaw nothing."""
        return not groups

    def engine_names(self) -> Sequence[str]:
        """Return nothing."""
        return ()

    def stop_engine(self, until_s: float) -> bool:
        """Stop nothing."""
        del until_s
        return False

    def run_engine(self) -> None:
        """Do nothing."""
