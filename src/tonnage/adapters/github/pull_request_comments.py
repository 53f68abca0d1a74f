"""One comment on a pull request, through GitHub's own program ``gh``, which brings address and token.

Only a comment that a bot wrote is ever changed: anybody may write one that begins with the same line.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec

from tonnage.adapters.process import run
from tonnage.errors import StepFailedError
from tonnage.lazily import learned

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIMEOUT_S = 60.0
_EACH = '.[] | select(.user.type == "Bot") | {id, body: .body[:300]}'


class _Comment(msgspec.Struct, frozen=True):
    id: int
    body: str


def write_comment(
    text: str, *, marker: str, repository: str, pull_request: int, environment: Mapping[str, str]
) -> bool:
    """Write a comment, in place of the one that begins with the marker if there is one.

    Args:
        text: Markdown that begins with the marker.
        marker: What our comment begins with.
        repository: ``owner/name``.
        pull_request: Its number.
        environment: That of ``gh``: its token is in there.

    Returns:
        Whether an earlier comment was replaced.

    Raises:
        EngineLacksError: ``gh`` is not installed.
        StepFailedError: GitHub refused.

    Source: GitHub's REST API for issue comments, which are those of pull requests too.
    """
    comments = f"repos/{repository}/issues/{pull_request}/comments"
    told = _gh(["--paginate", f"{comments}?per_page=100", "--jq", _EACH], environment)
    mine = [each for each in map(_comment, told.splitlines()) if each.body.startswith(marker)]
    body = json.dumps({"body": text}).encode()
    if mine:
        place = f"repos/{repository}/issues/comments/{mine[0].id}"
        _gh(["--method", "PATCH", place, "--input", "-"], environment, body)
    else:
        _gh(["--method", "POST", comments, "--input", "-"], environment, body)
    return bool(mine)


def _comment(line: str) -> _Comment:
    try:
        return msgspec.json.decode(line, type=learned(_Comment))
    except msgspec.MsgspecError as error:
        raise StepFailedError("gh answered with something else than comments", why=f"{error}.", log=line) from error


def _gh(arguments: list[str], environment: Mapping[str, str], stdin: bytes = b"") -> str:
    done = run(["gh", "api", *arguments], environment=environment, stdin=stdin, timeout_s=_TIMEOUT_S)
    if done.exit_code:
        raise StepFailedError(
            "the comment was not written",
            why=f"gh ended with {done.exit_code}: {done.stderr.strip()}",
            todo="Give the job the permission it needs:\n  pull-requests: write",
        )
    return done.stdout
