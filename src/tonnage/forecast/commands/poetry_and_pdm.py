"""What Poetry, PDM and pipx install, by the options of each.

Source: the help texts of Poetry 2, PDM 2 and pipx 1.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from tonnage.forecast.commands.context import table
from tonnage.forecast.commands.python_installs import cache_of, install_requirements
from tonnage.model.forecast.installs import Installer, PythonInstall

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.forecast.commands.context import Context, Options
    from tonnage.model.forecast.shell_script import Word

POETRY = table(
    "--without --with --only --extras --directory --project --python --group --source --platform",
    "--no-root --no-directory --dry-run --sync --all-extras --all-groups --only-root --compile --no-dev "
    "--remove-untracked --quiet --verbose --version --ansi --no-ansi --no-interaction --no-plugins --no-cache --help "
    "--dev --editable --lock --allow-prereleases --default",
    E="--extras", C="--directory", P="--project", n="--no-interaction", q="--quiet", v="--verbose", G="--group",
    D="--dev", e="--editable",
)  # fmt: skip
PDM = table(
    "--group --project --lockfile --venv --python --without --override --config-setting --no-isolation-package",
    "--prod --production --dev --no-default --no-lock --no-self --no-editable --check --frozen-lockfile --dry-run "
    "--no-isolation --clean --only-keep --reinstall --skip --verbose --quiet --global --fail-fast --no-cache --help "
    "--clean-unselected --with-excluded --no-clean --without-hashes --hashes --no-hashes --expandvars --pyproject "
    "--self --editable-self --markers --no-markers --no-extras",
    G="--group", p="--project", L="--lockfile", v="--verbose", q="--quiet", d="--dev", g="--global",
    f="--format", o="--output",
)  # fmt: skip
PIPX = table(
    "--index-url --pip-args --python --suffix --preinstall --backend",
    "--force --include-deps --system-site-packages --editable --quiet --verbose --global --fetch-missing-python",
    i="--index-url", e="--editable", f="--force", q="--quiet", v="--verbose",
)  # fmt: skip


def poetry_install(context: Context, words: Sequence[Word]) -> PythonInstall:
    """Read ``poetry install``, ``poetry sync`` or ``poetry add``; ``words`` begin with that verb."""
    options = POETRY.read(words[1:])
    folder = options.last("--directory", "--project")
    project = context.absolute(folder or ".")
    only = _several(options, "--only")
    left_out = _several(options, "--without") + (("dev",) if options.has("--no-dev") else ())
    added, unread = install_requirements(context, options.positional) if words[0].text == "add" else ((), ())
    directory = context.setting("POETRY_CACHE_DIR") or _home(context, ".cache/pypoetry")
    alone = options.has("--only-root")
    own = not options.has("--no-root") and (not only or alone)
    return PythonInstall(
        **context.shared,
        installer=Installer.POETRY,
        requirements=added,
        project_directory=project,
        project_itself=own,
        project_editable=own,
        extras=_several(options, "--extras"),
        all_extras=options.has("--all-extras"),
        groups=() if alone else _several(options, "--with"),
        # Not even the project's own dependencies.
        without_groups=("main", "*") if alone else left_out,
        all_groups=options.has("--all-groups"),
        only_groups=only,
        locked=words[0].text != "add",
        virtual_environment=_poetry_environment(context, project),
        # --no-cache is about what it keeps of indexes alone.
        cache=cache_of(context, directory, off=False),
        compiles=options.has("--compile"),
        unread=(*unread, *options.unknown),
    )


def pdm_install(context: Context, words: Sequence[Word]) -> PythonInstall:
    """Read ``pdm install``, ``pdm sync`` or ``pdm add``; ``words`` begin with that verb."""
    options = PDM.read(words[1:])
    project = context.absolute(options.last("--project") or ".")
    groups = _several(options, "--group")
    adds = words[0].text == "add"
    added, unread = install_requirements(context, options.positional) if adds else ((), ())
    directory = context.setting("PDM_CACHE_DIR") or _home(context, ".cache/pdm")
    in_environment = context.setting("VIRTUAL_ENV") or posixpath.join(project, ".venv")
    system = context.setting("PDM_USE_VENV").lower() in {"0", "false"} or options.has("--global")
    all_groups = ":all" in groups
    production = options.has("--prod", "--production")
    own = not options.has("--no-self") and "PDM_NO_SELF" not in context.command.environment
    return PythonInstall(
        **context.shared,
        installer=Installer.PDM,
        requirements=added,
        project_directory=project,
        project_itself=own,
        project_editable=own and not (options.has("--no-editable") or context.setting("PDM_NO_EDITABLE") != ""),
        groups=() if all_groups else groups,
        all_groups=all_groups,
        without_groups=(*_several(options, "--without"), *(("*",) if production else ())),
        only_groups=groups if options.has("--no-default") else (),
        locked=not adds and not options.has("--no-lock"),
        virtual_environment="" if system else in_environment,
        cache=cache_of(context, directory, off=options.has("--no-cache")),
        compiles=False,
        unread=(*unread, *options.unknown),
    )


def pipx_install(context: Context, words: Sequence[Word]) -> PythonInstall:
    """Read ``pipx install``; ``words`` begin with that verb."""
    options = PIPX.read(words[1:])
    found, unread = install_requirements(context, options.positional)
    home = context.setting("PIPX_HOME") or _home(context, ".local/share/pipx")
    directory = context.setting("PIP_CACHE_DIR") or _home(context, ".cache/pip")
    arguments = options.last("--pip-args")
    off = bool(context.setting("PIP_NO_CACHE_DIR")) or "--no-cache-dir" in arguments
    return PythonInstall(
        **context.shared,
        installer=Installer.PIPX,
        requirements=found,
        virtual_environment=f"{home}/venvs/{found[0].name if found else ''}",
        cache=cache_of(context, directory, off=off),
        python=options.last("--python"),
        unread=(*unread, *options.unknown, *((f"--pip-args={arguments}",) if arguments else ())),
    )


def remembered_from_poetry_config(words: Sequence[Word]) -> dict[str, str]:
    """Return what ``poetry config NAME VALUE`` writes, as environment variables; ``words`` follow ``config``."""
    plain = [word.text for word in words if not word.text.startswith("-")]
    if len(plain) != 2:  # noqa: PLR2004 - NAME VALUE
        return {}
    return {f"POETRY_{plain[0].upper().replace('.', '_').replace('-', '_')}": plain[1]}


def _poetry_environment(context: Context, project: str) -> str:
    if active := context.setting("VIRTUAL_ENV"):
        return active
    if context.setting("POETRY_VIRTUALENVS_CREATE").lower() in {"0", "false"}:
        return ""
    if context.on("POETRY_VIRTUALENVS_IN_PROJECT"):
        return posixpath.join(project, ".venv")
    return context.setting("POETRY_VIRTUALENVS_PATH") or _home(context, ".cache/pypoetry/virtualenvs")


def _home(context: Context, path: str) -> str:
    return f"{context.setting('HOME') or '/root'}/{path}"


def _several(options: Options, name: str) -> tuple[str, ...]:
    """Return every value of an option whose values may be joined by commas or blanks."""
    return tuple(part for value in options.all(name) for part in value.replace(",", " ").split())
