"""What asking every service for its health gave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.views.text.columns import columns

if TYPE_CHECKING:
    from collections.abc import Sequence


class Verdict(Struct, frozen=True, kw_only=True):
    """One service: whether it is healthy now, and why not; the log holds the end of what it printed."""

    service: str
    healthy: bool
    reason: str = ""
    log: str = ""


def verification_text(verdicts: Sequence[Verdict]) -> str:
    """Write the verdicts for people."""
    rows = [(each.service, "healthy" if each.healthy else "NOT HEALTHY", each.reason) for each in verdicts]
    return "\n".join(columns(rows))


def verification_form(stack: str, verdicts: Sequence[Verdict]) -> dict[str, object]:
    """Return the verdicts as a JSON-able mapping."""
    services = [
        {"service": each.service, "healthy": each.healthy, "reason": each.reason, "log": each.log} for each in verdicts
    ]
    return {"stack": stack, "healthy": all(each.healthy for each in verdicts), "services": services}
