"""The composition root: starts a command, gives it the real outside, and turns its end into an exit code.

Nothing else in the package constructs adapters or decides about exit codes.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tonnage import __version__
from tonnage.cli.group import COMMANDS, LazyGroup
from tonnage.cli.places import cache_directory, state_place
from tonnage.cli.session import Session
from tonnage.cli.streams import let_go_of_output, prepare_streams
from tonnage.errors import EngineLacksError, EngineUnreachableError, InterruptedRunError, TonnageError, UsageError
from tonnage.sources.compose.files import HERE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from tonnage.adapters.docker.connect import DockerConnection
    from tonnage.adapters.docker.tools import Tools
    from tonnage.adapters.interface import EngineFacts
    from tonnage.cli.outside import EngineDoor, MachineDoor, Outside, Rehearsal, WeightsDoor
    from tonnage.model.forecast.estimate import EngineKind
    from tonnage.model.inventory import Engine, Filesystem, FileToSend, Image, Inputs
    from tonnage.model.stack import BuildSpec, Service, Stack
    from tonnage.runtime.clock import Clock
    from tonnage.runtime.load_stack import ComposeConfig
    from tonnage.runtime.lookups import Lookups
    from tonnage.runtime.rehearsal_images import ImageSource
    from tonnage.sources.compose.files import Files

_SIGINT = 2
_SIGPIPE = 13
_TO_SEE_MORE = "For the traceback, to go with a report, run it again with\n  export TONNAGE_TRACEBACK=1"


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Each command shows examples and its exit codes with --help.",
)
@click.version_option(__version__, prog_name="tonnage")
def cli() -> None:
    """Load container stacks onto small disks, up to the line and never past it."""


def main(arguments: Sequence[str] | None = None, *, outside: Outside | None = None) -> int:
    """Run the command.

    Args:
        arguments: What was typed after the program's name; None for the process's own arguments.
        outside: What may be reached; None for the real world.

    Returns:
        The exit code: 0, or the one of the failure that ended it.
    """
    typed = list(sys.argv[1:] if arguments is None else arguments)
    prepare_streams()
    session = Session(outside=outside or RealOutside(), stdout=sys.stdout, stderr=sys.stderr)
    code = 0
    try:
        code = _run(session, typed)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output is gone.
        let_go_of_output()
        return 128 + _SIGPIPE
    except OSError as error:
        let_go_of_output()
        if not code:
            session.say(f"error: standard output cannot be written\n{error.strerror}.")
        return code or 1
    return code


def _run(session: Session, typed: list[str]) -> int:
    try:
        # What is parsed is taken off the list.
        with cli.make_context("tonnage", [*typed], obj=session) as context:
            cli.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.exceptions.NoArgsIsHelpError as nothing:
        session.say(nothing.format_message())
        return UsageError.exit_code
    except click.ClickException as wrong:
        session.json = session.json or "--json" in typed
        return _fail(session, _usage_error(wrong, typed))
    except TonnageError as error:
        return _fail(session, error)
    except (KeyboardInterrupt, click.Abort):
        return _fail(session, InterruptedRunError(_SIGINT, "interrupted; nothing was changed"))
    except BrokenPipeError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and _while_printing(error):
            raise
        return _fail(session, _unexpected(session, error))
    return 0


def _while_printing(error: OSError) -> bool:
    """Tell whether help or the version could not be printed: all else that is printed says so itself."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return frame is not None and frame.tb_frame.f_code is click.echo.__code__


def _fail(session: Session, error: TonnageError) -> int:
    from tonnage.views.text.error import failure_form, failure_text  # noqa: PLC0415 - only where something failed

    session.say(failure_text(error, width=session.width if session.stderr.isatty() else None))
    if session.json or session.events_file:
        session.print_failure(failure_form(error))
    return error.exit_code


def _usage_error(wrong: click.ClickException, typed: Sequence[str]) -> UsageError:
    context = getattr(wrong, "ctx", None)
    # An option without its value is told without the command that it belongs to.
    path = f"tonnage {typed[0]}" if typed and typed[0] in COMMANDS else "tonnage"
    path = path if context is None else context.command_path
    # Choices come with line breaks and tabs between them.
    return UsageError(" ".join(wrong.format_message().split()), todo=f"See\n  {path} --help")


def _unexpected(session: Session, error: Exception) -> TonnageError:
    import traceback  # noqa: PLC0415 - only where something unexpected happened

    wanted = session.outside.environment.get("TONNAGE_TRACEBACK", "") not in {"", "0"}
    return TonnageError(
        f"an unexpected failure: {type(error).__name__}: {error}",
        why="This is a defect of Tonnage, not of what you did.",
        todo="" if wanted else _TO_SEE_MORE,
        log="".join(traceback.format_exception(error)) if wanted else "",
    )


class RealOutside:
    """The real world: this machine's files, programs and engines."""

    def __init__(self) -> None:
        self._tools: Tools | None = None

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment variables."""
        return os.environ

    @property
    def clock(self) -> Clock:
        """The clock."""
        from tonnage.runtime.clock import SystemClock  # noqa: PLC0415 - help needs no clock

        return SystemClock()

    @property
    def working_directory(self) -> str:
        """The directory that the user is in."""
        return str(Path.cwd())

    @property
    def tools(self) -> Tools:
        """The programs that act on an engine; each is looked for when first asked for."""
        from tonnage.adapters.docker.tool_versions_cache import Remembered  # noqa: PLC0415
        from tonnage.adapters.docker.tools import find_tools  # noqa: PLC0415

        if self._tools is None:
            remembered = Remembered(cache_directory(self.environment) / "programs.json", self.environment)
            self._tools = find_tools(self.environment, remembered)
        return self._tools

    def look_ahead(self) -> None:
        """Begin to look for the programs that act on an engine, while there is still something else to do."""
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
        from tonnage.adapters.docker.compose import ComposeText  # noqa: PLC0415

        return ComposeText(tool, self.environment)

    def declared_arguments(self, spec: BuildSpec) -> Mapping[str, str | None]:
        """Return what a build's Dockerfile declares with ``ARG``, with its default."""
        from tonnage.adapters.context.dockerfile_arguments import declared_arguments  # noqa: PLC0415

        return declared_arguments(spec)

    def inputs(self, service: Service) -> Inputs:
        """Return what a service's build would read now."""
        from tonnage.adapters.context.inputs_digest import build_inputs  # noqa: PLC0415

        return build_inputs(service)

    def lookups(
        self, facts: EngineFacts | None, images: Sequence[Image] = (), *, offline: bool = False, probe: bool = False
    ) -> AbstractContextManager[Lookups] | None:
        """Open what forecasting reads."""
        from tonnage.adapters.docker.base_images import EngineImages  # noqa: PLC0415
        from tonnage.adapters.docker.facts import DockerFacts  # noqa: PLC0415
        from tonnage.cli.forecast_lookups import RealLookups  # noqa: PLC0415

        connection = facts.connection if isinstance(facts, DockerFacts) else None
        probes = None
        if probe and connection is not None:
            from tonnage.adapters.docker.throwaway_container import EngineProbe  # noqa: PLC0415

            probes = EngineProbe(connection)
        return RealLookups(
            self.environment,
            cache_directory(self.environment) / "forecast",
            engine=None if connection is None else EngineImages(connection, images),
            offline=offline,
            probe=probes,
        )

    def engine_kind(self, engine: Engine | None) -> EngineKind:
        """Return what builds and keeps images here."""
        from tonnage.adapters.docker.tools import BuilderKind  # noqa: PLC0415
        from tonnage.model.forecast.estimate import EngineKind  # noqa: PLC0415

        if engine is not None and engine.image_store == "containerd":
            return EngineKind.CONTAINERD
        tool = self.tools.build if engine else None
        return EngineKind.CLASSIC if tool and tool.kind is BuilderKind.LEGACY else EngineKind.BUILDKIT

    def data_root(self, host: str) -> str:
        """Return where a local engine keeps its data, when it says so within a moment; empty else."""
        from tonnage.adapters.docker.data_root import data_root  # noqa: PLC0415

        return data_root(self.environment, host)

    def install_command(self) -> str:
        """Return the command that installs this very Tonnage on another machine; empty when there is none."""
        from tonnage.adapters.host.installation import install_command  # noqa: PLC0415

        return install_command(self.environment)

    def rehearsal_root(self) -> str:
        """Return where rehearsals put their disks."""
        from tonnage.adapters.private_engine.layout import rehearsal_root  # noqa: PLC0415

        return str(rehearsal_root(self.environment))

    def to_send(self, host: str, stack: Stack) -> tuple[FileToSend, ...]:
        """Return the files that a stack mounts from here and that the engine's machine lacks."""
        from tonnage.adapters.ssh.upload import files_here, files_there  # noqa: PLC0415
        from tonnage.decide.deploy.remote_mounts import files_to_send  # noqa: PLC0415

        here = files_here(stack.directory, stack.sent)
        return files_to_send(here, files_there(host, stack.place, tuple(here)))

    def local_disks(self) -> tuple[Filesystem, ...]:
        """Measure the filesystems of this machine that programs write to without being told to."""
        from tonnage.adapters.host.filesystem import usual_filesystems  # noqa: PLC0415

        return usual_filesystems(self.environment, self.working_directory)

    @property
    def machine(self) -> MachineDoor:
        """This machine's files and directories."""
        from tonnage.cli.machine_door import RealMachine  # noqa: PLC0415

        return RealMachine(self.environment)

    @functools.cached_property
    def weights(self) -> WeightsDoor:
        """Files of weights on this machine."""
        from tonnage.adapters.host.checksums import Checksums  # noqa: PLC0415

        return Checksums(cache_directory(self.environment) / "checksums.json")

    def lock(self, engine: Engine, stack: str) -> AbstractContextManager[object]:
        """Return the lock of one stack on one engine; where that is another machine, it is held there as well."""
        from tonnage.adapters.ssh.lock import SshLock  # noqa: PLC0415
        from tonnage.runtime.lock import StackLock  # noqa: PLC0415

        remote = SshLock(engine.endpoint) if engine.endpoint.startswith("ssh://") else None
        return StackLock(engine.engine_id, stack, endpoint=engine.endpoint, remote=remote)

    def builder_found(self) -> str:
        """Say which builder was found."""
        tool = self.tools.need_build()
        return f"{tool.program} {tool.version}, progress {tool.kind}"

    def compose_found(self) -> str:
        """Say which Compose was found."""
        tool = self.tools.need_compose()
        return f"{' '.join(tool.command)} {tool.version}"

    def rehearsal_found(self) -> str:
        """Say that this machine can rehearse."""
        from tonnage.adapters.private_engine.requirements import check_machine  # noqa: PLC0415

        check_machine(self.environment.get("PATH", ""))
        return "this machine can"

    @contextlib.contextmanager
    def facts(self, host: str, *, sizes: bool = False) -> Iterator[EngineFacts]:
        """Reach an engine to read from it."""
        from tonnage.adapters.docker.facts import DockerFacts  # noqa: PLC0415

        with self._connection(host, "") as connection:
            yield DockerFacts(connection, [state_place(self.environment)], sizes=sizes)

    @contextlib.contextmanager
    def engine(self, host: str) -> Iterator[EngineDoor]:
        """Reach an engine to change it."""
        with self._connection(host, "") as connection:
            yield self._door(connection)

    @contextlib.contextmanager
    def rehearsal(self, size_bytes: int, *, keep: bool) -> Iterator[Rehearsal]:
        """Start a private engine on a disk of its own; leaving the context removes it, unless it is to be kept."""
        from tonnage.adapters.docker.image_transfer import ImageStore  # noqa: PLC0415
        from tonnage.adapters.private_engine.engine import PrivateEngine  # noqa: PLC0415
        from tonnage.cli.outside import Rehearsal  # noqa: PLC0415

        with (
            PrivateEngine.start(size_bytes, environment=self.environment, keep=keep) as engine,
            self._connection(engine.endpoint, engine.netns) as connection,
        ):
            yield Rehearsal(
                door=self._door(connection), images=ImageStore(connection), how_to_reach=engine.how_to_reach()
            )

    def images_needed(self, service: Service, where: Files = HERE) -> tuple[str, ...]:
        """Return the images from elsewhere that a service stands on, by its files on a machine."""
        from tonnage.adapters.context.dockerfile_images import images_needed  # noqa: PLC0415

        return images_needed(service, where)

    @contextlib.contextmanager
    def image_source(self, host: str) -> Iterator[ImageSource | None]:
        """Reach an engine to copy images from; None when there is none, unless one was named."""
        from tonnage.adapters.docker.image_transfer import ImageStore  # noqa: PLC0415

        with contextlib.ExitStack() as opened:
            connection = None
            try:
                connection = opened.enter_context(self._connection(host, ""))
            except (EngineUnreachableError, EngineLacksError):
                if host:
                    raise
            yield None if connection is None else ImageStore(connection)

    def remove_rehearsal(self, name: str) -> None:
        """Remove a private engine that was kept."""
        from tonnage.adapters.private_engine.engine import remove_rehearsal  # noqa: PLC0415

        remove_rehearsal(name, environment=self.environment)

    @contextlib.contextmanager
    def _connection(self, host: str, netns: str) -> Iterator[DockerConnection]:
        from tonnage.adapters.docker.connect import connect  # noqa: PLC0415

        with connect(self.environment, host, netns=netns) as connection:
            yield connection

    def _door(self, connection: DockerConnection) -> EngineDoor:
        from tonnage.adapters.docker.acts import DockerActs  # noqa: PLC0415
        from tonnage.adapters.docker.facts import DockerFacts  # noqa: PLC0415
        from tonnage.adapters.docker.preflight import check_ready  # noqa: PLC0415
        from tonnage.adapters.host.filesystem import open_gauge  # noqa: PLC0415
        from tonnage.cli.outside import EngineDoor  # noqa: PLC0415

        return EngineDoor(
            facts=DockerFacts(connection, [state_place(self.environment)]),
            acts=lambda: DockerActs(connection, self.tools, self.environment),
            gauge=lambda mounts: open_gauge(connection.endpoint, mounts),
            check=lambda plan: check_ready(plan, self.tools),
        )
