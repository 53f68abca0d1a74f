"""What ``pipenv`` installs from its lock, or writes of it as a requirement file.

Source: ``pipenv --help`` and ``pipenv install --help`` of Pipenv 2026.10.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.forecast.commands.context import table
from tonnage.forecast.commands.environments import with_environment
from tonnage.forecast.commands.project_tools import exported
from tonnage.forecast.commands.python_installs import cache_of
from tonnage.model.forecast.effects import Nothing
from tonnage.model.forecast.installs import Installer, PythonInstall

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.forecast.commands.context import Context, Options
    from tonnage.model.forecast.effects import AnyEffect
    from tonnage.model.forecast.shell_script import Word

PIPENV = table(
    "--python --categories --index --extra-pip-args --pypi-mirror --requirements --editable --from-pipfile",
    "--system --deploy --ignore-pipfile --skip-lock --dev --pre --verbose --quiet --clear --dev-only --hash "
    "--exclude-markers --keep-outdated --site-packages --bare --sequential --three --exclude-index",
    d="--dev", v="--verbose", q="--quiet", r="--requirements", i="--index", e="--editable",
)  # fmt: skip
_TEXT = frozenset({"", "graph", "check", "--venv", "--where", "--version", "verify", "scripts"})


def pipenv(context: Context, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    """Read the words after ``pipenv``."""
    plain = [word for word in words if not word.text.startswith("-")]
    action = plain[0].text if plain else ""
    options = PIPENV.read([word for word in words if plain and word is not plain[0]])
    if action == "requirements":
        made = _install(context, options)
        return exported(context, context.output() or context.pipe, made)
    packages = options.positional or options.all("--requirements", "--editable")
    if action in {"install", "sync"} and not packages and not options.unknown:
        return with_environment(context, _install(context, options), with_pip=True)
    if action in _TEXT:
        return (Nothing(**context.shared),)
    return (context.opaque(f"what pipenv {action} writes is not known"),)


def _install(context: Context, options: Options) -> PythonInstall:
    home = context.setting("HOME") or "/root"
    off = bool(context.setting("PIP_NO_CACHE_DIR"))
    project = context.absolute(".")
    in_project = f"{project.rstrip('/')}/.venv"
    apart = in_project if context.on("PIPENV_VENV_IN_PROJECT") else f"{home}/.local/share/virtualenvs/project"
    groups = tuple(part for value in options.all("--categories") for part in value.replace(",", " ").split())
    only = ("dev-packages",) if options.has("--dev-only") else tuple(each for each in groups if each != "packages")
    return PythonInstall(
        **context.shared,
        installer=Installer.PIPENV,
        project_directory=project,
        groups=("dev-packages",) if options.has("--dev") or context.on("PIPENV_DEV") else (),
        only_groups=(*(("packages",) if "packages" in groups else ()), *only),
        locked=not options.has("--skip-lock"),
        virtual_environment="" if options.has("--system") or context.on("PIPENV_SYSTEM") else apart,
        # It calls pip with a cache of its own; what switches that of pip off is pip's to read.
        cache=cache_of(context, context.setting("PIPENV_CACHE_DIR") or f"{home}/.cache/pipenv", off=off),
        runs_in=context.command.working_directory,
    )
