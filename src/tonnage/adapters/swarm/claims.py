"""One deploy at a time for each stack of a Swarm, from whichever machine and through whichever manager.

A claim is a config of the Swarm, which the managers agree about: of two that make one of the same name, one is refused.
Whoever holds it renews it every few seconds. One that was not renewed, by the clock of the managers, or whose process
on this machine has died, is taken over: with the version that was read, so that only one of several succeeds.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from datetime import datetime
from typing import TYPE_CHECKING

from tonnage.adapters.swarm.reading import swarm_clock
from tonnage.adapters.swarm.versions import configs
from tonnage.adapters.swarm.writing import ChangedMeanwhileError, SwarmActs
from tonnage.errors import LockHeldError, TonnageError
from tonnage.lazily import regex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tonnage.adapters.docker.connect import DockerConnection
    from tonnage.adapters.swarm.schemas import ConfigReply

CLAIM_LABEL = "tonnage.claim"
_OWNER_LABEL = "tonnage.owner"
_RENEWED_LABEL = "tonnage.renewed"
_RENEW_EVERY_S = 5.0
_STALE_AFTER_S = 40.0
_TRIES = 3
_FRACTION = regex(r"\.\d+")


class StackClaim:
    """Claims stacks of one Swarm.

    Args:
        connection: The way to a manager.
        owner: Who claims, as a mapping of texts that ``is_gone`` understands.
        is_gone: Tells of an owner whether it has certainly ended.
    """

    def __init__(
        self, connection: DockerConnection, owner: Mapping[str, str], is_gone: Callable[[Mapping[str, str]], bool]
    ) -> None:
        self._connection = connection
        self._acts = SwarmActs(connection)
        self._owner = dict(owner)
        self._is_gone = is_gone

    @contextlib.contextmanager
    def held(self, stack: str) -> Iterator[threading.Event]:
        """Hold the claim of a stack as long as the context lasts.

        Yields:
            Is set when the claim was lost to another.

        Raises:
            LockHeldError: Another deploys this stack.
            EngineUnreachableError: The Swarm has lost its quorum, or the manager does not answer.
        """
        config_id = self._claim(stack)
        lost, ended = threading.Event(), threading.Event()
        renewing = threading.Thread(target=self._renew, args=(config_id, stack, lost, ended), daemon=True)
        renewing.start()
        try:
            yield lost
        finally:
            ended.set()
            renewing.join()
            with contextlib.suppress(TonnageError):
                if not lost.is_set():
                    self._acts.remove_config(config_id)

    def _claim(self, stack: str) -> str:
        labels = self._labels(stack, 0)
        for _ in range(_TRIES):
            with contextlib.suppress(ChangedMeanwhileError):
                return self._acts.create_config(_name(stack), labels)
            there = next(iter(configs(self._connection, f"{CLAIM_LABEL}={stack}")), None)
            if there is None:
                continue
            if not self._may_be_taken(there):
                raise _held(stack, there)
            with contextlib.suppress(ChangedMeanwhileError):
                self._acts.label_config(there, labels)
                return there.id
        raise LockHeldError(f"another run deploys the stack {stack} on this Swarm", todo="Wait for it, and try again.")

    def _may_be_taken(self, there: ConfigReply) -> bool:
        if self._is_gone(_owner_of(there)):
            return True
        now, renewed = _moment(swarm_clock(self._connection)), _moment(there.updated)
        return now is not None and renewed is not None and (now - renewed).total_seconds() > _STALE_AFTER_S

    def _renew(self, config_id: str, stack: str, lost: threading.Event, ended: threading.Event) -> None:
        count = 0
        while not ended.wait(_RENEW_EVERY_S):
            count += 1
            # A manager that does not answer now may do so in a moment.
            with contextlib.suppress(TonnageError):
                there = next((each for each in configs(self._connection, f"{CLAIM_LABEL}={stack}")), None)
                if there is None or there.id != config_id or _owner_of(there) != self._owner:
                    lost.set()
                    return
                self._acts.label_config(there, self._labels(stack, count))

    def _labels(self, stack: str, count: int) -> dict[str, str]:
        return {CLAIM_LABEL: stack, _OWNER_LABEL: json.dumps(self._owner), _RENEWED_LABEL: str(count)}


def _name(stack: str) -> str:
    """Return the name of the claim of a stack; names of configs are short."""
    return f"tonnage-claim-{hashlib.sha256(stack.encode()).hexdigest()[:24]}"


def _held(stack: str, there: ConfigReply) -> LockHeldError:
    owner = _owner_of(there)
    who = f"process {owner.get('pid', '?')} on {owner.get('host', '?')}"
    return LockHeldError(
        f"another run deploys the stack {stack} on this Swarm",
        why=f"It is {who}, begun {there.created[:19].replace('T', ' ')} UTC.",
        todo="Wait for it, and try again.",
    )


def _owner_of(there: ConfigReply) -> dict[str, str]:
    try:
        told = json.loads((there.spec.labels or {}).get(_OWNER_LABEL, ""))
    except ValueError:
        return {}
    return {str(key): str(value) for key, value in told.items()} if isinstance(told, dict) else {}


def _moment(told: str) -> datetime | None:
    """Return a moment of the API, whose fractions are finer than any clock here."""
    try:
        return datetime.fromisoformat(_FRACTION.sub("", told))
    except ValueError:
        return None
