"""``tonnage completion``: the script for a shell, and the answers that this script asks for.

The scripts are click's. They start the command with a variable set, and what is typed in others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tonnage.cli.group import COMPLETING, verb

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from click.shell_completion import CompletionItem, ShellComplete

    from tonnage.cli.session import Session
    from tonnage.flows.requests import StackFlags

_SHELLS = ("bash", "zsh", "fish")
_FILES = frozenset({"FILE", "PLAN"})
_DIRECTORIES = frozenset({"DIR", "PATH"})
_Found = list[tuple[str, str]]


@verb(
    "completion",
    examples=(
        ("tonnage completion bash", "The script for bash; put it where bash looks for it, once:"),
        ("tonnage completion zsh", "The script for zsh"),
        ("tonnage completion fish", "The script for fish"),
    ),
    failures=(),
    about="Completes commands, options, services of the compose file here, kinds that reclaim removes, and runs."
    " For all new shells: bash: tonnage completion bash > ~/.local/share/bash-completion/completions/tonnage."
    " zsh: tonnage completion zsh > DIR/_tonnage, where DIR is in fpath before compinit."
    " fish: tonnage completion fish > ~/.config/fish/completions/tonnage.fish.",
)
@click.argument("shell", metavar="|".join(_SHELLS), type=click.Choice(_SHELLS))
def command(session: Session, *, shell: str) -> None:
    """Print the script."""
    from click.shell_completion import ShellComplete  # noqa: PLC0415 - help needs none of it

    # Bash is not started to ask for its version, as click would.
    session.print_text(ShellComplete.source(_class(shell)(command, {}, "tonnage", COMPLETING)))


def complete(session: Session, group: click.Command) -> int:
    """Answer a shell's script.

    Args:
        group: The command with all others in it.

    Returns:
        The exit code: 1 where the shell is not known.
    """
    shell, _, asked = session.ports.environment[COMPLETING].partition("_")
    if shell not in _SHELLS or asked != "complete":
        return 1
    completer = _class(shell)(group, {"obj": session}, "tonnage", COMPLETING)
    try:
        session.print_text(completer.complete())
    except (click.ClickException, KeyError, ValueError):
        # What was typed so far is no command: there is nothing to complete.
        return 0
    return 0


def _class(shell: str) -> type[ShellComplete]:
    from click.shell_completion import get_completion_class  # noqa: PLC0415 - help needs none of it

    found = get_completion_class(shell)
    assert found is not None  # noqa: S101 - the shells are click's
    return found


class KnownValues(click.ParamType[str]):
    """The type of a value that is one of those that are known now, while words are completed.

    Args:
        find: Finds them, each with what it is.
    """

    name = "known"

    def __init__(self, find: Callable[[click.Context], _Found]) -> None:
        self._find = find

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return those that begin so and were not typed yet."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - only for completion

        typed = ctx.params.get(param.name or "") if param.multiple or param.nargs != 1 else None
        return [
            CompletionItem(value, help=about)
            for value, about in self._find(ctx)
            if value.startswith(incomplete) and value not in (typed or ()) and _stands_alone(value)
        ]


def complete_values(parameters: Sequence[click.Parameter]) -> None:
    """Let parameters of a command complete their values: by what their names and metavars say they are."""
    sources = {"services": _services, "only": _kinds, "run": _runs, "run_id": _runs}
    for each in parameters:
        metavar = each.metavar or ""
        if each.name in sources:
            each.type = KnownValues(sources[each.name])
        elif metavar in _FILES:
            each.type = click.Path()
        elif metavar in _DIRECTORIES:
            each.type = click.Path(file_okay=False)


def _stands_alone(value: str) -> bool:
    """Tell whether a shell takes a value for one word and for nothing else."""
    return bool(value) and all(each.isalnum() or each in "._-" for each in value) and value.isascii()


def _services(ctx: click.Context) -> _Found:
    from tonnage.flows.machine.completion import services  # noqa: PLC0415 - only where they are asked for

    session: Session = ctx.find_root().obj
    return services(session.ports, _flags(ctx))


def _runs(ctx: click.Context) -> _Found:
    from tonnage.flows.machine.completion import runs  # noqa: PLC0415 - only where they are asked for

    session: Session = ctx.find_root().obj
    return runs(session.ports, _flags(ctx))


def _kinds(_ctx: click.Context) -> _Found:
    from tonnage.model.reclaim.candidate import named_kinds  # noqa: PLC0415 - only where they are asked for

    return [(kind, "") for kind in named_kinds()]


def _flags(ctx: click.Context) -> StackFlags:
    """Return which stack is meant, as far as it was typed."""
    from tonnage.flows.requests import StackFlags  # noqa: PLC0415 - only for completion

    typed = ctx.params
    return StackFlags(
        files=tuple(typed.get("files") or ()),
        env_files=tuple(typed.get("env_files") or ()),
        profiles=tuple(typed.get("profiles") or ()),
        project_name=typed.get("project_name") or "",
        project_directory=typed.get("project_directory") or "",
    )
