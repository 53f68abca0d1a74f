"""What a run writes into its lock on another machine, one text after the other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.runtime.lock import RemoteLock


class RemoteWrites:
    """Writes in the order in which it is asked to, whether that is waited for or not.

    Otherwise a text that nobody waited for could overtake the next one, and stand there until the one after.
    """

    def __init__(self, remote: RemoteLock) -> None:
        self._remote = remote
        self._thread = ThreadPoolExecutor(1, "remote claim")

    def write(self, text: str) -> Sequence[str]:
        """Write it, and return what stands in the locks of others after that.

        Raises:
            TonnageError: The machine does not answer.
        """
        return self._thread.submit(self._remote.write, text).result()

    def write_soon(self, text: str) -> None:
        """Write it without waiting; an engine that does not answer any more ends the run elsewhere."""
        self._thread.submit(self._remote.write, text)

    def close(self) -> None:
        """Write nothing any more: after the lock was given back it would be another's."""
        self._thread.shutdown(cancel_futures=True)
