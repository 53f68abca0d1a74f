"""This machine: its filesystems with what on them may go, the programs that are found, and the files that stacks name.

Each way to them is loaded when it is gone: most commands need few, and begin the sooner.
"""

from __future__ import annotations

import contextlib
import threading
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from tonnage.errors import CannotReclaimError, TonnageError
from tonnage.flows.state import cache_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tonnage.adapters.docker.tools import Tools
    from tonnage.adapters.host.space import Space
    from tonnage.adapters.interface import Cancel
    from tonnage.model.deploy.plan import Plan
    from tonnage.model.inventory import Container, Engine, Filesystem, Inputs
    from tonnage.model.reclaim.candidate import Builders, Candidate, Findings, HostedRunner
    from tonnage.model.reclaim.duplicate_blocks import DuplicateBlocks
    from tonnage.model.reclaim.other_store import OtherStore
    from tonnage.model.reports.symptom import Here
    from tonnage.model.stack import BuildSpec, FileToSend, Service, Stack
    from tonnage.runtime.load_stack import ComposeConfig
    from tonnage.sources.compose.files import Files


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

    def here(self, paths: Sequence[str]) -> Here:
        """Return what this machine is called, and what it has of paths that a log names."""
        from tonnage.adapters.host.named_paths import look_at  # noqa: PLC0415

        return look_at(paths, self._environment)

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
            meanwhile=meanwhile,
        )

    def remove_place(self, candidate: Candidate, cancel: Cancel) -> None:
        """Remove what was found so.

        Raises:
            CannotReclaimError: Something of it stays, also when it was cancelled: half of it is not gone.
        """
        from tonnage.adapters.reclaim.path_removal import remove_place  # noqa: PLC0415
        from tonnage.units import format_bytes  # noqa: PLC0415

        removed = remove_place(candidate, cancel=cancel)
        if not removed.complete:
            raise CannotReclaimError(
                f"the removal of {candidate.name} was interrupted",
                why=f"{format_bytes(max(0, removed.measured_bytes))} of it were freed; the rest is still there.",
                todo="See what is left of it:\n  tonnage reclaim",
            )

    def held_open(self, mount: str) -> Sequence[tuple[str, int]]:
        """Return programs that hold removed files open, with the bytes of those files on a filesystem."""
        from tonnage.adapters.reclaim.unseen_bytes import held_open  # noqa: PLC0415

        return held_open(mount)

    def hidden(self, mount: str) -> Sequence[tuple[str, int]]:
        """Return directories of a filesystem that something is mounted on, with the bytes that lie below that."""
        from tonnage.adapters.reclaim.unseen_bytes import hidden_under_mounts  # noqa: PLC0415

        return [(each.path, each.size_bytes) for each in hidden_under_mounts(mount)]

    def orphans(self, data_root: str, now_s: float) -> tuple[int, int]:
        """Return how many layers below a data root the engine does not know, and their bytes."""
        from tonnage.adapters.reclaim.unseen_bytes import orphan_layers  # noqa: PLC0415

        found = orphan_layers(data_root, now_s=now_s)
        return len(found.paths), found.size_bytes

    def builders(self) -> Builders:
        """Return the builders beside the engine that people of this machine have configured."""
        from tonnage.adapters.reclaim.configured_builders import configured_builders  # noqa: PLC0415

        return configured_builders(self._environment)

    def runner(self) -> HostedRunner | None:
        """Return the hosted runner that this machine is; None for any other machine."""
        import psutil  # noqa: PLC0415

        from tonnage.decide.reclaim.ephemeral_machine import hosted_runner  # noqa: PLC0415

        return hosted_runner(self._environment, booted_s=psutil.boot_time())

    def make_ballast(self, data_root: str, keeps_bytes: int) -> int:
        """Make the file that is given back when the disk of an engine is full; return its bytes, 0 for none."""
        from tonnage.adapters.guard.ballast import make_ballast  # noqa: PLC0415

        return make_ballast(data_root, keeps_bytes)

    def drop_ballast(self, data_root: str) -> int:
        """Give it back; return its bytes."""
        from tonnage.adapters.guard.ballast import drop_ballast  # noqa: PLC0415

        return drop_ballast(data_root)

    def thaw(self, groups: Sequence[str]) -> bool:
        """Thaw control groups, and nothing that is none; return whether that was done for all that are there."""
        from tonnage.adapters.guard.freezer import thaw_all  # noqa: PLC0415

        return thaw_all(groups)

    def other_store(self, engine: Engine, *, within_s: float) -> OtherStore | None:
        """Return what an engine of this machine has left in the image store that it does not use; None for nothing."""
        from tonnage.adapters.reclaim.other_store import find_other_store  # noqa: PLC0415

        return find_other_store(engine, within_s=within_s)

    def duplicate_blocks(self, engine: Engine) -> DuplicateBlocks:
        """Return which files of an engine's image layers have the same content in blocks of their own, or why none."""
        from tonnage.adapters.reclaim.duplicate_blocks import find_duplicate_blocks  # noqa: PLC0415

        return find_duplicate_blocks(engine)

    def share_blocks(self, found: DuplicateBlocks, cancel: Cancel) -> None:
        """Store their content once."""
        from tonnage.adapters.reclaim.duplicate_blocks import share_blocks  # noqa: PLC0415

        share_blocks(found, cancel)

    def remove_other_store(self, engine: Engine, candidate: Candidate, cancel: Cancel) -> None:
        """Remove that."""
        from tonnage.adapters.reclaim.other_store import let_go  # noqa: PLC0415

        let_go(engine)
        self.remove_place(candidate, cancel)


class FoundPrograms:
    """Satisfies ``Programs``; each is looked for when first asked for."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    @cached_property
    def tools(self) -> Tools:
        """What was found."""
        from tonnage.adapters.docker.tool_versions_cache import ToolVersionsCache  # noqa: PLC0415
        from tonnage.adapters.docker.tools import Tools  # noqa: PLC0415

        known = ToolVersionsCache(cache_directory(self._environment) / "programs.json", self._environment)
        return Tools(self._environment, known)

    def look_ahead(self) -> None:
        """Begin to look for those that act on an engine, while there is still something else to do."""
        from tonnage.adapters.process import dying_with_us  # noqa: PLC0415

        tools = self.tools

        def look() -> None:
            # What is wrong with them is told where they are needed.
            with contextlib.suppress(TonnageError):
                _ = tools.compose_2, tools.build, dying_with_us()

        threading.Thread(target=look, name="look-ahead", daemon=True).start()

    def compose(self) -> ComposeConfig | None:
        """Return Compose as a reader of compose files, or None when it is not installed or too old for that."""
        tool = self.tools.compose_2
        if tool is None:
            return None
        from tonnage.adapters.docker.compose.command import ComposeText  # noqa: PLC0415

        return ComposeText(tool, self._environment)

    def builder_found(self) -> str:
        """Say which builder was found."""
        tool, selected = self.tools.need_build(), self.tools.selected_builder
        beside = f"; {selected.shown} is selected" if selected else ""
        return f"{tool.program} {tool.version}, {tool.described}{beside}"

    def compose_version(self) -> str:
        """Return the version of the Compose that starts containers; empty when there is none."""
        tool = self.tools.compose
        return "" if tool is None else tool.version

    def uv(self, architecture: str) -> tuple[str, int] | None:
        """Return the program uv that came with this package, and its bytes; None where it is for another machine."""
        from tonnage.adapters.host.uv_program import uv_program  # noqa: PLC0415

        return uv_program(architecture, cache_directory(self._environment) / "installer")

    def ready(self, plan: Plan) -> tuple[str, ...]:
        """Say what people should know of the programs for a plan."""
        from tonnage.adapters.docker.preflight import check_ready  # noqa: PLC0415

        return check_ready(plan, self.tools)

    def compose_found(self) -> str:
        """Say which Compose was found."""
        tool = self.tools.need_compose()
        return f"{' '.join(tool.command)} {tool.version}"


class RealStackFiles:
    """Satisfies ``StackFiles``."""

    def declared_arguments(self, spec: BuildSpec) -> Mapping[str, str | None]:
        """Return what a build's Dockerfile declares with ``ARG``, with its default."""
        from tonnage.adapters.context.dockerfiles import declared_arguments  # noqa: PLC0415

        return declared_arguments(spec)

    def dockerfile(self, spec: BuildSpec) -> str:
        """Return the text of a Dockerfile."""
        from tonnage.adapters.context.dockerfiles import dockerfile_text  # noqa: PLC0415

        return dockerfile_text(spec)

    def earlier(
        self, directory: str, commit: str, paths: Sequence[str], environment: Mapping[str, str]
    ) -> Mapping[str, str | None]:
        """Return what files held at a commit."""
        from tonnage.adapters.host.earlier_files import earlier_files  # noqa: PLC0415

        return earlier_files(directory, commit, paths, environment)

    def inputs(self, service: Service) -> Inputs:
        """Return what a service's build would read now."""
        from tonnage.adapters.context.inputs_digest import build_inputs  # noqa: PLC0415

        return build_inputs(service)

    def images_needed(self, service: Service, where: Files) -> tuple[str, ...]:
        """Return the images from elsewhere that a service stands on, by its files on a machine."""
        from tonnage.adapters.context.dockerfiles import images_needed  # noqa: PLC0415

        return images_needed(service, where)

    def remote(self, endpoint: str, paths: Sequence[str]) -> Files:
        """Return the files of the machine behind ``ssh://``; those of ``paths`` are read at once."""
        from tonnage.adapters.ssh.files import RemoteFiles  # noqa: PLC0415

        return RemoteFiles(endpoint, paths)

    def content_digest(self, path: str) -> str:
        """Return a hash of what a file holds; empty where this user cannot read it."""
        from tonnage.adapters.host.presence import content_digest  # noqa: PLC0415

        return content_digest(path)

    def missing(self, endpoint: str, paths: Sequence[str]) -> frozenset[str]:
        """Return the paths where nothing is, on the machine behind ``ssh://``, or on this one where that is empty."""
        if endpoint:
            from tonnage.adapters.ssh.files import missing_there  # noqa: PLC0415

            return missing_there(endpoint, paths)
        from tonnage.adapters.host.presence import missing  # noqa: PLC0415

        return missing(paths)

    def listening(self, endpoint: str) -> tuple[tuple[str, int, str], ...]:
        """Return the ports on which programs listen, of the machine behind ``ssh://``, or of this one without one."""
        if endpoint:
            from tonnage.adapters.ssh.files import listening_there  # noqa: PLC0415

            return listening_there(endpoint)
        from tonnage.adapters.host.presence import listening  # noqa: PLC0415

        return listening()

    def to_send(self, host: str, stack: Stack) -> tuple[FileToSend, ...]:
        """Return the files that a stack mounts from here and that the engine's machine lacks."""
        from tonnage.adapters.ssh.upload import files_here, files_there  # noqa: PLC0415
        from tonnage.decide.deploy.remote_mounts import files_to_send  # noqa: PLC0415

        here = files_here(stack.directory, stack.sent)
        return files_to_send(here, files_there(host, stack.place, tuple(here)))
