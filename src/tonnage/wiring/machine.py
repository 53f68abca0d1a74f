"""This machine's filesystems, and its files and directories as a reclaim deals with them.

Each way to them is loaded when it is gone: most reclaims need few, and begin the sooner.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tonnage.errors import CannotReclaimError
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tonnage.adapters.host.space import Space
    from tonnage.adapters.interface import Cancel
    from tonnage.model.inventory import Container, Filesystem
    from tonnage.model.reclaim.candidate import Candidate, Findings


class ThisMachine:
    """Satisfies ``LocalMachine``."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def space(self, directory: str) -> Space:
        """Measure the filesystem that a directory lies on."""
        from tonnage.adapters.host.space import space_under  # noqa: PLC0415

        return space_under(directory)

    def filesystems(self) -> tuple[Filesystem, ...]:
        """Measure the filesystems that programs write to without being told to."""
        from tonnage.adapters.host.filesystem import usual_filesystems  # noqa: PLC0415

        return usual_filesystems(self._environment, str(Path.cwd()))

    def containers(self, host: str) -> tuple[Container, ...]:
        """Return the containers of this machine's engine without asking it.

        Raises:
            CannotReclaimError: This user may not read its files.
        """
        from tonnage.adapters.docker.container_files import containers_in_files  # noqa: PLC0415
        from tonnage.adapters.docker.data_root import data_root, usual_data_root  # noqa: PLC0415

        root = data_root(self._environment, host) or usual_data_root(self._environment, host)
        return containers_in_files(root) if root else ()

    def find_places(
        self,
        *,
        mount: str,
        root: str,
        disposable: bool,
        only: Sequence[str],
        kept: Mapping[str, str],
        missing_bytes: int | None,
        meanwhile: Callable[[], None],
    ) -> Findings:
        """Return what of this machine's files and directories may go; ``meanwhile`` is done while they are measured."""
        from tonnage.adapters.reclaim.catalogue import load_catalogue  # noqa: PLC0415
        from tonnage.adapters.reclaim.paths import find_places  # noqa: PLC0415
        from tonnage.decide.reclaim.ephemeral_machine import judge_machine  # noqa: PLC0415

        def get_ready() -> None:

            meanwhile()

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
            meanwhile=get_ready,
        )

    def remove_place(self, candidate: Candidate, cancel: Cancel) -> None:
        """Remove what was found so.

        Raises:
            CannotReclaimError: Something of it stays, also when it was cancelled: half of it is not gone.
        """
        from tonnage.adapters.reclaim.path_removal import remove_place  # noqa: PLC0415

        removed = remove_place(candidate, cancel=cancel)
        if not removed.complete:
            raise CannotReclaimError(
                f"the removal of {candidate.name} was interrupted",
                why=f"{format_bytes(max(0, removed.measured_bytes))} of it came free; the rest is still there.",
                todo="See what is left of it:\n  tonnage reclaim",
            )

    def held_open(self, mount: str) -> Sequence[tuple[str, int]]:
        """Return programs that hold removed files open, with the bytes of those files on a filesystem."""
        from tonnage.adapters.host.deleted_open_files import held_open  # noqa: PLC0415

        return held_open(mount)

    def hidden(self, mount: str) -> Sequence[tuple[str, int]]:
        """Return directories of a filesystem that something is mounted on, with the bytes that lie below that."""
        from tonnage.adapters.reclaim.under_mounts import hidden_under_mounts  # noqa: PLC0415

        return [(each.path, each.size_bytes) for each in hidden_under_mounts(mount)]

    def orphans(self, data_root: str, now_s: float) -> tuple[int, int]:
        """Return how many layers below a data root the engine does not know, and their bytes."""
        from tonnage.adapters.reclaim.orphan_layers import orphan_layers  # noqa: PLC0415

        found = orphan_layers(data_root, now_s=now_s)
        return len(found.paths), found.size_bytes
