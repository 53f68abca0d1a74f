"""The command group: names and one-line meanings here, so that help needs none of the command modules."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import click
from click.exceptions import NoSuchCommand

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from click.shell_completion import CompletionItem

    from tonnage.errors import TonnageError

COMMANDS = {
    "forecast": "Predict image sizes and the disk space each build needs, before building.",
    "lint": "Find what wastes disk in Dockerfiles and requirement files, priced in bytes, and fix it.",
    "torch": "Give services PyTorch without CUDA, or with it, and say who brought it.",
    "plan": "Show what deploy would do, or why it cannot fit. Changes nothing.",
    "build": "Build images one at a time, within the disk.",
    "deploy": "Build, health-check and switch over services, one at a time.",
    "ship": "Send images to another engine: only the layers that it lacks.",
    "verify": "Check the health of every service now.",
    "rollback": "Go back to the previous good version.",
    "reclaim": "Free just enough disk space, removing what is cheapest to recreate first.",
    "status": "Show free space, reserve, disk usage of the engine, and services.",
    "watch": "Show the same as status, refreshed live.",
    "guard": "Watch the engine's disk, reclaim before it fills, and warn.",
    "report": "Show recent runs: forecast vs. measured.",
    "rehearse": "Deploy on a throw-away engine with a disk of a chosen size.",
    "ci": "Write GitHub workflows and a deploy script for this stack.",
    "explain": "Explain a failed build log, using this machine's disk figures.",
    "doctor": "Check this machine, the engine and the settings.",
    "uninstall": "Show what Tonnage made on the engine and on this machine, and remove it.",
    "completion": "Print the script that completes commands in your shell.",
}

COMPLETING = "_TONNAGE_COMPLETE"
"""The variable by which the script in a shell says that words are to be completed."""


COMMON_OPTIONS = frozenset(
    {
        "files", "project_name", "project_directory", "env_files", "profiles", "host", "to", "as_json", "quiet",
        "verbose", "_click_default_help",
    }
)  # fmt: skip
"""Names of the parameters that most commands have."""


def _detail_option(names: str, meaning: str) -> click.Option:
    def take(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click calls it so
        if value:
            ctx.obj.choose_detail(**{str(parameter.name): True})

    return click.Option(names.split("/"), is_flag=True, is_eager=True, expose_value=False, callback=take, help=meaning)


POINTERS = {
    "version": "tonnage --version",
    "up": "tonnage deploy",
    "apply": "tonnage deploy",
    "run": "tonnage deploy",
    "start": "tonnage deploy",
    "diff": "tonnage plan",
    "ps": "tonnage status",
    "df": "tonnage status",
    "du": "tonnage status",
    "ls": "tonnage status",
    "list": "tonnage status",
    "top": "tonnage watch",
    "images": "tonnage forecast",
    "size": "tonnage forecast",
    "history": "tonnage report",
    "prune": "tonnage reclaim",
    "clean": "tonnage reclaim",
    "check": "tonnage lint\n  tonnage doctor",
    "undo": "tonnage rollback",
    "init": "tonnage ci github",
    "config": "tonnage doctor --settings\n  docker compose config",
    "down": "docker compose down",
    "stop": "docker compose stop",
    "restart": "docker compose restart",
    "logs": "docker compose logs",
    "exec": "docker compose exec",
    "pull": "tonnage deploy --pull always",
    "push": "tonnage build --push",
    "save": "tonnage ship",
}
"""Commands that people try because other tools have them, and what does that here; the rest is left to Compose."""

OPTION_POINTERS = {
    "--dry-run": {
        "reclaim": "tonnage reclaim removes nothing without --yes: leave it out",
        "uninstall": "tonnage uninstall removes nothing without --yes: leave it out",
        "guard": "tonnage guard removes nothing without --yes: leave it out",
        "rollback": "tonnage plan --rollback",
        "build": "tonnage plan --build",
        "deploy": "tonnage plan",
        "rehearse": "tonnage plan",
    },
    "--yes": {
        "rehearse": "tonnage rehearse asks nothing: leave it out",
        "rollback": "tonnage rollback asks nothing: leave it out",
        "build": "tonnage build asks nothing: leave it out",
        "deploy": "tonnage deploy asks nothing: leave it out",
        "ship": "tonnage ship asks nothing: leave it out",
        "reclaim": "tonnage reclaim --yes",
        "uninstall": "tonnage uninstall --yes",
        "guard": "tonnage guard --yes",
    },
    "--detach": {
        "deploy": "tonnage deploy ends when all is healthy: leave it out",
        "rollback": "tonnage rollback ends when all is healthy: leave it out",
        "reclaim": "tonnage reclaim --background",
        "guard": "tonnage guard --install",
    },
    "--build": {"deploy": "tonnage deploy builds what changed: leave it out"},
    "--write": {"lint": "tonnage lint --fix"},
}
"""The same for options, by the command that they were typed with."""

SAME_OPTION = {"-n": "--dry-run", "-y": "--yes", "--force": "--yes", "-d": "--detach"}
"""Other spellings of these."""


def pointer_of(option: str, command: str) -> str:
    """Return what does in a command what an option of other tools does; empty where nothing is known of it."""
    if option == "-V":
        return "tonnage --version"
    return OPTION_POINTERS.get(SAME_OPTION.get(option, option), {}).get(command, "")


class LazyGroup(click.Group):
    """Imports the module of a command only when that command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order in which people meet them."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, importing its module; None when there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"tonnage.cli.{cmd_name}").command
        if ctx.resilient_parsing:
            from tonnage.cli.completion import complete_values  # noqa: PLC0415 - only for completion

            complete_values(command.params)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the name of a command without importing any of them."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - only for completion

        names = [CompletionItem(name, help=about) for name, about in COMMANDS.items() if name.startswith(incomplete)]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; when there is none of that name, say which ones are near.

        Raises:
            NoSuchCommand: There is no such command.
        """
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            raise NoSuchCommand(name, possibilities=COMMANDS, ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any of them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


class Verb(click.Command):
    """A command whose help ends with examples and with its exit codes.

    Args:
        name: Its name; the first line of its help comes from :data:`COMMANDS`.
        examples: Command lines, each with what it does.
        failures: The classes of failure that it can end with, besides wrong usage.
        about: What else there is to know.
    """

    def __init__(
        self,
        name: str,
        *,
        examples: Sequence[tuple[str, str]],
        failures: Sequence[type[TonnageError]],
        about: str = "",
        **rest: object,
    ) -> None:
        self.examples = tuple(examples)
        self.failures = tuple(failures)
        rest["help"] = "\n\n".join(part for part in (COMMANDS[name], about) if part)
        rest["short_help"] = COMMANDS[name]
        super().__init__(name, **rest)  # type: ignore[arg-type]
        self.params += [
            _detail_option("-q/--quiet", "Print answers and errors only: no progress, no notes."),
            _detail_option("-v/--verbose", "Also print commands and requests."),
        ]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options of this command first, then those that most commands have."""
        records: dict[bool, list[tuple[str, str]]] = {False: [], True: []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                records[parameter.name in COMMON_OPTIONS].append(record)
        for is_common, title in ((False, "Options"), (True, "Common options")):
            if records[is_common]:
                with formatter.section(title):
                    formatter.write_dl(records[is_common])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write examples and exit codes."""
        del ctx
        with formatter.section("Examples"):
            for line, meaning in self.examples:
                formatter.write_text(f"{meaning}:")
                formatter.write(f"{'':{formatter.current_indent}}  {line}\n")
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), title) for code, title in self.exit_codes()])

    def exit_codes(self) -> list[tuple[int, str]]:
        """Return the exit codes that this command can end with, and what each means."""
        from tonnage.errors import TonnageError, UsageError  # noqa: PLC0415 - help of the group needs none of it

        classes: tuple[type[TonnageError], ...] = (TonnageError, UsageError, *self.failures)
        found = {(failure.exit_code, failure.title) for failure in classes}
        return [(0, "done"), *sorted(found)]


def verb(
    name: str, *, examples: Sequence[tuple[str, str]], failures: Sequence[type[TonnageError]], about: str = ""
) -> Callable[[Callable[..., None]], click.Command]:
    """Make a command of a function, which is given the session first; the rest is as for :class:`Verb`."""
    made = click.command(name, cls=Verb, examples=examples, failures=failures, about=about)
    return lambda function: made(click.pass_obj(function))
