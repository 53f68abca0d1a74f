"""Options that commands share. What was typed, nothing more: meaning is given to it elsewhere."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import click

from tonnage.errors import UsageError
from tonnage.flows.requests import Allowed, StackFlags

if TYPE_CHECKING:
    from collections.abc import Callable

    from tonnage.cli.session import Session
    from tonnage.model.stack import PullWhen


def stack_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command services as its arguments, and the options of :func:`which_stack_options`."""
    services = click.argument("services", nargs=-1, metavar="[SERVICE]...")
    return services(which_stack_options(function))


def versioned_stack_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command what :func:`stack_options` gives, and with ``--to`` also a version, as ``version``."""
    services = click.argument("services", nargs=-1, metavar="[SERVICE]...")
    return services(which_stack_options(function, versions=True))


def source_stack_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command what :func:`stack_options` gives, but for ``--to``: its engine is the one that is read from."""
    services = click.argument("services", nargs=-1, metavar="[SERVICE]...")
    return services(which_stack_options(function, goes_to=False))


def which_stack_options(
    function: Callable[..., None], *, versions: bool = False, goes_to: bool = True
) -> Callable[..., None]:
    """Give a command the options that say which stack and which engine; it receives them as ``flags``.

    Those for settings, where it has them, are in there too.

    Args:
        versions: With ``--to`` a version may be named as well.
        goes_to: Whether ``--to`` names the engine that is meant.
    """

    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - click hands over what each command declared
        typed = {name: kwargs.pop(name) for name in StackFlags.__struct_fields__ if name in kwargs}
        settings = {key: kwargs.pop(name, None) for name, key in _SETTINGS.items()}
        if kwargs.pop("sequential", False):
            if settings["parallel"] not in {None, "1"}:
                raise click.UsageError("--sequential is --parallel 1: name one of them")
            settings["parallel"] = "1"
        # Settings write a switch as ``true`` and ``false``.
        texts = {key: str(said).lower() if isinstance(said, bool) else said for key, said in settings.items()}
        typed["settings"] = {key: text for key, text in texts.items() if text is not None}
        if goes_to:
            _take_machine(typed, kwargs, versions=versions)
        function(*args, flags=StackFlags(**typed), **kwargs)

    machine = (_TO_VERSION if versions else _TO,) if goes_to else ()
    for option in (json_option, *machine, *reversed(_STACK_OPTIONS)):
        wrapped = option(wrapped)
    return wrapped


def _take_machine(typed: dict[str, Any], kwargs: dict[str, Any], *, versions: bool) -> None:
    """Put what was typed after ``--to`` among the rest."""
    to = kwargs.pop("to")
    # A variable that is not set is not to let a run go elsewhere, or to another version.
    if to == "" or (versions and "" in to):
        raise click.UsageError("--to is empty: name what is meant, or leave it out")
    if versions:
        to, kwargs["version"] = _machine_and_version(to)
    if to and typed["host"]:
        raise click.UsageError("--to names an engine, and so does --host")
    if to:
        typed["host"], typed["place"] = _machine_and_place(to)


def _machine_and_version(given: tuple[str, ...]) -> tuple[str, str]:
    """Return the machine and the version of what was typed after ``--to``; empty for what was not."""
    machines, versions = ([each for each in given if ("://" in each) is is_one] for is_one in (True, False))
    if len(machines) > 1 or len(versions) > 1:
        raise click.UsageError("--to names one version and one machine, no more")
    return "".join(machines), "".join(versions)


def _machine_and_place(to: str) -> tuple[str, str]:
    """Return the engine's address and the directory on its machine, of what was typed after ``--to``."""
    parts = urlsplit(to)
    if parts.scheme != "ssh" or not parts.hostname or parts.query or parts.fragment:
        raise UsageError(
            f"{to!r} is not a machine", todo="Write --to ssh://user@host or --to ssh://user@host/srv/shop."
        )
    return f"ssh://{parts.netloc}", "" if parts.path == "/" else unquote(parts.path)


def _ask_for_json(ctx: click.Context, _parameter: click.Parameter, value: bool) -> bool:  # noqa: FBT001 - click calls it so
    session: Session = ctx.obj
    session.json = session.json or value
    return value


json_option = click.option(
    "--json",
    "as_json",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_ask_for_json,
    help="Print the documented JSON form on standard output.",
)

_STACK_OPTIONS = (
    click.option("-f", "--file", "files", multiple=True, metavar="FILE", help="Compose file; may be repeated."),
    click.option("-p", "--project-name", default="", metavar="NAME", help="Project name instead of the directory's."),
    click.option("--project-directory", default="", metavar="DIR", help="Directory that relative paths start from."),
    click.option("--env-file", "env_files", multiple=True, metavar="FILE", help="Instead of .env; may be repeated."),
    click.option("--profile", "profiles", multiple=True, metavar="NAME", help="Enable a profile; may be repeated."),
    click.option("-H", "--host", default="", metavar="URL", help="Engine: unix://, tcp:// or ssh://user@machine."),
)
_MACHINE = "Engine of another machine: ssh://user@host[/DIR]. Files that services mount from here are sent to DIR."
_TO = click.option("--to", default=None, metavar="URL", help=_MACHINE)
_TO_VERSION = click.option(
    "--to",
    multiple=True,
    metavar="VERSION|URL",
    help="The version to roll back to, such as v3 (see rollback --list); or ssh://user@host[/DIR], the engine of this"
    " machine. May be given for each.",
)

untrusted_option = click.option(
    "--untrusted",
    is_flag=True,
    help="Do not trust the files: substitute no environment variables, read nothing outside the checkout,"
    " contact only well-known servers and those that you configured.",
)
ask_hosts_option = click.option(
    "--ask-hosts",
    metavar="HOST,...",
    help="Contact these hosts too: with --untrusted public ones, else those with an environment value in the address."
    " all: every one.",
)
_SETTINGS = {
    "ask_hosts": "ask-hosts",
    "keep_free": "keep-free",
    "keep_previous": "keep-previous",
    "cleanup_after": "cleanup-after",
    "assume_unknown": "assume-unknown",
    "parallel": "parallel",
    "cluster": "cluster",
    "build_on": "build-on",
    "through": "through",
}
"""Parameters of options for settings, and the key of each."""
keep_free_option = click.option(
    "--keep-free", metavar="SIZE", help="The reserve: bytes that must remain available, such as 2GB."
)


swarm_option = click.option(
    "--swarm",
    "cluster",
    flag_value="swarm",
    default=None,
    help="The engine is a manager of a Docker Swarm, whose nodes run the stack (x-tonnage.cluster).",
)


def _html_file(ctx: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    session: Session = ctx.obj
    if value == "":
        raise click.UsageError("--html is empty: name a file, or - for standard output")
    if value == "-" and session.json:
        raise click.UsageError("--json prints on standard output, so --html needs a file")
    return value


html_option = click.option(
    "--html",
    "html_file",
    metavar="FILE",
    callback=_html_file,
    help="Write a self-contained HTML page to FILE; - for standard output.",
)


def _keep_events(ctx: click.Context, _parameter: click.Parameter, value: str) -> str:
    session: Session = ctx.obj
    session.events_file = value
    return value


events_option = click.option(
    "--events",
    default="",
    metavar="FILE",
    expose_value=False,
    callback=_keep_events,
    help="Also write every event to FILE, as JSON lines.",
)
keep_previous_option = click.option(
    "--keep-previous/--no-keep-previous", default=None, help="Keep the previous image for rollback (default: keep)."
)


def parallel_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say how many images are made at once."""
    for option in (
        click.option("--sequential", is_flag=True, help="One image at a time, which is the default: --parallel 1."),
        click.option(
            "--parallel", metavar="N", help="Build or pull up to N images at the same time, where the bytes allow it."
        ),
    ):
        function = option(function)
    return function


_ALLOWED = (
    click.option(
        "--again", is_flag=True, help="Also deploy a version that was rolled back, which is refused otherwise."
    ),
    click.option(
        "--remove-orphans", is_flag=True, help="Remove the containers of services that are in no file any more."
    ),
    click.option(
        "--adopt",
        is_flag=True,
        help="Take over the containers of a stack of this name in another directory; the engine remembers it.",
    ),
)
no_build_option = click.option(
    "--no-build", is_flag=True, help="Build nothing: pull what build --push sent to the registries."
)


def _read_pull(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> PullWhen | None:
    from tonnage.sources.compose.pull_policy import pull_policy  # noqa: PLC0415 - help needs none of it

    found = pull_policy(value or "")
    return found.when if found is not None else None


pull_option = click.option(
    "--pull",
    type=click.Choice(["always", "missing", "if_not_present", "never", "build"]),
    callback=_read_pull,
    help="When images are pulled, for all services, instead of their pull_policy.",
)


def image_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say where images come from, as ``pull`` and ``no_build``."""
    return pull_option(no_build_option(function))


through_option = click.option(
    "--through",
    metavar="REGISTRY",
    help="Through a registry that both engines reach: pushed, then pulled by digest. none: without one.",
)


def build_on_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say where images for another machine are built."""
    for option in (
        click.option("--build-there", "build_on", flag_value="there", help="Build with its engine, whatever is set."),
        click.option(
            "--build-here",
            "build_on",
            flag_value="here",
            help="With --to: build with the engine of this machine, and send only the layers that the other one lacks.",
        ),
        through_option,
    ):
        function = option(function)
    return function


cleanup_after_option = click.option(
    "--cleanup-after/--no-cleanup-after",
    default=None,
    help="Remove what each service's steps left behind (default: remove).",
)


def allowing_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options for what a deploy does only where it is typed, as one ``allowed``."""

    @wraps(function)
    def command(session: Session, *, again: bool, remove_orphans: bool, adopt: bool, **options: Any) -> None:  # noqa: ANN401 - click's
        function(session, allowed=Allowed(again=again, remove_orphans=remove_orphans, adopt=adopt), **options)

    for option in reversed(_ALLOWED):
        option(command)
    return command


def policy_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options for settings of what a deploy keeps."""
    return keep_free_option(keep_previous_option(cleanup_after_option(function)))
