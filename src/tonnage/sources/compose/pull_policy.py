"""What ``pull_policy`` of a service says, as Compose reads it.

Source: compose-go, ``ServiceConfig.GetPullPolicy``: what it does not know is ``missing``.
"""

from __future__ import annotations

from tonnage.errors import UsageError
from tonnage.lazily import regex
from tonnage.model.stack import PullPolicy, PullWhen

_EVERY = "every_"
_PART = regex(r"([0-9]{1,9})([wdhms])")
_PARTS = regex(r"(?:[0-9]{1,9}[wdhms]){1,5}")
_SECONDS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_SPANS = {"daily": "1d", "weekly": "1w"}
_PLAIN = {each.value: each for each in PullWhen if each is not PullWhen.REFRESH} | {"if_not_present": PullWhen.MISSING}


def pull_policy(said: str) -> PullPolicy | None:
    """Return what is said of pulling; None for nothing.

    Raises:
        UsageError: It names a span of time that is none.
    """
    if not said:
        return None
    words = f"pull_policy: {said}"
    span = _SPANS.get(said) or (said.removeprefix(_EVERY) if said.startswith(_EVERY) else "")
    if not span:
        return PullPolicy(when=_PLAIN.get(said, PullWhen.MISSING), said=words)
    if not _PARTS.fullmatch(span):
        raise UsageError(f"{words}: {span!r} is not a time span", todo="Write it like every_12h or every_1w2d.")
    every_s = sum(int(count) * _SECONDS[unit] for count, unit in _PART.findall(span))
    return PullPolicy(when=PullWhen.REFRESH, said=words, every_s=float(every_s))
