"""What sharing the blocks of files with the same content gives back. Nothing is removed for it, so nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.model.reclaim.candidate import Candidate, CandidateId, CandidateKind, Findings, NamedKind, SharedBytes

if TYPE_CHECKING:
    from tonnage.model.reclaim.duplicate_blocks import DuplicateBlocks

_KEY = CandidateId(CandidateKind.PLACES, NamedKind.DUPLICATE_BLOCKS)
_SHARED_BYTES_PER_S = 500_000_000


def duplicate_findings(found: DuplicateBlocks) -> Findings:
    """Return it as something that can be done, or a note why nothing can."""
    if not found.groups:
        why = found.obstacle or "no two large files of image layers have the same content in blocks of their own"
        return Findings(notes=(f"{NamedKind.DUPLICATE_BLOCKS}: {why} ({found.place})",))
    files = "1 file" if found.copies == 1 else f"{found.copies} files"
    candidate = Candidate(
        candidate_id=_KEY,
        kind=NamedKind.DUPLICATE_BLOCKS,
        name=found.place,
        unique_bytes=found.size_bytes,
        cost_s=0.0,
        removal_s=found.size_bytes / _SHARED_BYTES_PER_S,
        reason=f"{files} of image layers have the content of another one; {found.filesystem} can store it once",
        back="nothing to recreate: no file changes",
    )
    return Findings(candidates=(candidate,), pieces=(SharedBytes(found.size_bytes, frozenset({_KEY})),))
