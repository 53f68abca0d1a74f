"""Virtual environments: made by a command of their own, or by a program before it installs into them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.model.forecast.effects import MakeEnvironment

if TYPE_CHECKING:
    from tonnage.forecast.commands.context import Context
    from tonnage.model.forecast.effects import AnyEffect
    from tonnage.model.forecast.installs import PythonInstall

SYSTEM = frozenset({"/usr/local", "/usr", "", "/opt/python"})
"""Where Python itself is installed: there is no environment to be made."""


def environment(
    context: Context,
    directory: str,
    python: str,
    *,
    with_pip: bool,
    by_virtualenv: bool = False,
    plain: bool = False,
) -> tuple[AnyEffect, ...]:
    """Return that an environment is made by ``venv``, or by ``virtualenv``."""
    made = MakeEnvironment(
        **context.shared, directory=context.absolute(directory), with_pip=with_pip, python=python, plain=plain
    )
    return (replace(made, seeds_in=seeds_of_virtualenv(context)) if by_virtualenv else made,)


def with_environment(context: Context, install: PythonInstall, *, with_pip: bool) -> tuple[AnyEffect, ...]:
    """Return an install with the environment that its program makes before, but in one that is active already."""
    directory = install.virtual_environment
    if not directory or directory == context.setting("VIRTUAL_ENV"):
        return (install,)
    made = MakeEnvironment(
        **context.shared, directory=directory, with_pip=with_pip, python=install.python, once=True,
        seeds_in=seeds_of_virtualenv(context) if with_pip else "",
    )  # fmt: skip
    return (made, install)


def with_own_environment(context: Context, install: PythonInstall) -> tuple[AnyEffect, ...]:
    """Return what uv installs with the environment that it makes before, whichever one is active."""
    directory = install.virtual_environment
    if directory in SYSTEM:
        return (install,)
    made = MakeEnvironment(**context.shared, directory=directory, with_pip=False, python=install.python, once=True)
    return (made, install)


def seeds_of_virtualenv(context: Context) -> str:
    """Return where virtualenv keeps what it puts into environments."""
    home = context.setting("XDG_CACHE_HOME") or f"{context.setting('HOME') or '/root'}/.cache"
    return context.setting("VIRTUALENV_OVERRIDE_APP_DATA") or f"{home}/virtualenv"
