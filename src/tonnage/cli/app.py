"""Starts a command, gives it the real ports, and turns its end into an exit code.

Nothing else in the package decides about exit codes.
"""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

import click

from tonnage import __version__
from tonnage.cli.group import COMMANDS, COMPLETING, POINTERS, LazyGroup, pointer_of
from tonnage.cli.program import VisibleStream, let_go_of_output, prepare_streams
from tonnage.cli.session import Session
from tonnage.errors import InterruptedRunError, TonnageError, UsageError
from tonnage.wiring.ports import Ports

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.cli.session import AllPorts

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
    """Deploy Compose stacks on small disks without running out of space."""


def main(arguments: Sequence[str] | None = None, *, ports: AllPorts | None = None) -> int:
    """Run the command.

    Args:
        arguments: What was typed after the program's name; None for the process's own arguments.
    """
    typed = list(sys.argv[1:] if arguments is None else arguments)
    if typed[:1] == ["help"]:
        typed = [*typed[1:2], "--help"]
    prepare_streams()
    session = Session(ports=ports or Ports(), stdout=sys.stdout, stderr=sys.stderr)
    code = 0
    try:
        with contextlib.redirect_stderr(VisibleStream(sys.stderr)):
            code = _complete(session) if COMPLETING in session.ports.environment else _run(session, typed)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output is gone.
        let_go_of_output()
        return 128 + _SIGPIPE
    except OSError as error:
        let_go_of_output()
        if not code:
            session.warn(f"error: standard output cannot be written\n{error.strerror}.")
        return code or 1
    finally:
        if session.verbose:
            from tonnage.tracing import listen  # noqa: PLC0415 - only where it was asked for

            listen(None)
    return code


def _complete(session: Session) -> int:
    from tonnage.cli.completion import complete  # noqa: PLC0415 - only where a shell asks

    return complete(session, cli)


def _run(session: Session, typed: list[str]) -> int:
    try:
        _thaw_what_was_left(session, typed)
        # What is parsed is taken off the list.
        with cli.make_context("tonnage", [*typed], obj=session) as context:
            cli.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.exceptions.NoArgsIsHelpError as nothing:
        session.warn(nothing.format_message())
        return UsageError.exit_code
    except click.ClickException as wrong:
        session.json = session.json or "--json" in typed
        return _fail(session, _usage_error(wrong, typed))
    except TonnageError as error:
        from tonnage.cli.same_target import for_same_target  # noqa: PLC0415 - only where something failed

        error.todo = for_same_target(error.todo, typed[1:], _options_of, sends=typed[0] == "ship")
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


def _options_of(name: str) -> frozenset[str]:
    command = cli.get_command(click.Context(cli), name)
    return frozenset(option for each in (command.params if command is not None else ()) for option in each.opts)


def _thaw_what_was_left(session: Session, typed: Sequence[str]) -> None:
    """Let builds go on that a run had frozen which was killed; a look into one directory where there are none."""
    if not typed or typed[0] not in COMMANDS or {"-h", "--help"} & set(typed):
        return
    from tonnage.flows.guard.left_frozen import thaw_what_was_left  # noqa: PLC0415 - help does without it

    if count := thaw_what_was_left(session.ports.machine):
        session.say(f"note: {count} steps of builds go on that an earlier run had paused and could not wake")


def _while_printing(error: OSError) -> bool:
    """Tell whether help or the version could not be printed: all else that is printed says so itself."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return frame is not None and frame.tb_frame.f_code is click.echo.__code__


def _fail(session: Session, error: TonnageError) -> int:
    from tonnage.views.text.error import failure_form, failure_text  # noqa: PLC0415 - only where something failed

    session.warn(failure_text(error, width=session.width if session.stderr.isatty() else None))
    if session.json or session.events_file:
        session.print_failure(failure_form(error))
    return error.exit_code


def _usage_error(wrong: click.ClickException, typed: Sequence[str]) -> UsageError:
    context = getattr(wrong, "ctx", None)
    # An option without its value is told without the command that it belongs to.
    path = f"tonnage {typed[0]}" if typed and typed[0] in COMMANDS else "tonnage"
    path = path if context is None else context.command_path
    # Choices come with line breaks and tabs between them.
    pointer = _pointer(wrong, path.partition(" ")[2])
    # What is near by its letters is another thing where it is known what was meant.
    what = wrong.message if pointer else wrong.format_message()
    return UsageError(" ".join(what.split()), todo=pointer or f"See\n  {path} --help")


def _pointer(wrong: click.ClickException, command: str) -> str:
    """Return what does here what was typed and other tools have; empty where nothing is known of it."""
    if isinstance(wrong, click.exceptions.NoSuchCommand):
        found = POINTERS.get(wrong.command_name, "")
    elif isinstance(wrong, click.NoSuchOption):
        found = pointer_of(wrong.option_name, command)
    else:
        found = ""
    if not found:
        return ""
    return f"{found[0].upper()}{found[1:]}." if ": " in found else f"Use\n  {found}"


def _unexpected(session: Session, error: Exception) -> TonnageError:
    import traceback  # noqa: PLC0415 - only where something unexpected happened

    wanted = session.ports.environment.get("TONNAGE_TRACEBACK", "") not in {"", "0"}
    return TonnageError(
        f"an unexpected failure: {type(error).__name__}: {error}",
        why="This is a defect of Tonnage, not of what you did.",
        todo="" if wanted else _TO_SEE_MORE,
        log="".join(traceback.format_exception(error)) if wanted else "",
    )
