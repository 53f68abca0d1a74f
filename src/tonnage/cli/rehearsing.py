"""A rehearsal: a private engine, the images that the stack stands on, and then the same way as every deploy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.cli.flow import Job, carry_out
from tonnage.cli.stacks import read_wanted
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.cli.options import StackFlags
    from tonnage.cli.session import Session


def rehearse(
    session: Session,
    flags: StackFlags,
    *,
    size_bytes: int,
    keep: bool,
    imports: Sequence[str],
    keep_free: str | None,
) -> None:
    """Deploy a stack on a private engine, show the report, and leave nothing behind unless it is to be kept.

    Args:
        session: Where output goes.
        flags: Which stack; the host names the engine that images are copied from.
        size_bytes: Size of the disk.
        keep: Leave the engine running.
        imports: Root filesystems to import, each as ``REFERENCE=FILE``.
        keep_free: The line as typed; None when it was not.

    Raises:
        EngineLacksError: The machine lacks Linux, root or programs.
        TonnageError: What ended the run.
    """
    wanted = read_wanted(session.outside, flags, {"keep-free": keep_free})
    session.say(f"rehearsing {wanted.stack.name} on a disk of {format_bytes(size_bytes)}")
    with session.outside.rehearsal(size_bytes, keep=keep) as rehearsal:
        if keep:
            session.say(rehearsal.how_to_reach)
        carry_out(session, rehearsal.door, Job(purpose="deploy", wanted=wanted))
