"""Tells a user's program, or an address, of a deploy that failed. Nothing that goes wrong here changes how it ended."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from tonnage.errors import TonnageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.model.deploy.failure_call import FailureCall

WITHIN_S = 30.0
_GOOD = range(200, 300)


def call(wanted: FailureCall, document: str, environment: Mapping[str, str], *, within_s: float = WITHIN_S) -> str:
    """Hand a document over: on standard input, or as the body of a request.

    Args:
        document: JSON.
        environment: That of the user: it is the program's as well, and names proxies.

    Returns:
        Why that went wrong, in words, with the last line that the program printed; empty when it did not.
    """
    try:
        if wanted.command:
            return _run(wanted.command, document.encode(), environment, within_s)
        return _ask(wanted, document.encode(), environment, within_s)
    except (TonnageError, OSError, ValueError) as error:
        told = (error.what, error.why) if isinstance(error, TonnageError) else (str(error),)
        return ": ".join(part.removesuffix(".") for part in told if part)


def _run(command: tuple[str, ...], document: bytes, environment: Mapping[str, str], within_s: float) -> str:
    from tonnage.adapters import process  # noqa: PLC0415 - only where something failed

    last: deque[str] = deque(maxlen=1)
    exit_code = process.stream(
        command,
        environment=environment,
        directory="/",
        on_line=lambda line: last.append(line) if line.strip() else None,
        cancel=threading.Event(),
        stdin=document,
        timeout_s=within_s,
    )
    return f"it ended with {exit_code}{f': {last[0]}' if last else ''}" if exit_code else ""


def _ask(wanted: FailureCall, document: bytes, environment: Mapping[str, str], within_s: float) -> str:
    from tonnage.adapters.web.client import Web  # noqa: PLC0415 - only where something failed
    from tonnage.adapters.web.deadlines import Limits, NetworkTime  # noqa: PLC0415
    from tonnage.adapters.web.permission import AskedServers, public_only  # noqa: PLC0415

    third = within_s / 3
    limits = Limits(connect_s=third, silent_s=third, answer_s=third, longest_answer_s=third, command_s=within_s)
    allowed = public_only if wanted.by_project else AskedServers()
    with Web(environment, time=NetworkTime(limits), allowed=allowed) as web:
        status = web.post(wanted.address, document, kind="application/json").status
    return "" if status in _GOOD else f"it answered {status}"
