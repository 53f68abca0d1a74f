"""``pip``, ``python -m``, ``uv``, ``poetry``, ``pdm``, ``pipx`` and ``virtualenv``: which of their verbs installs what.

Source: the help texts of pip 26.3, uv 0.13.9, Poetry 2, PDM 2 and pipx 1.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.forecast.commands.cheap_commands import page
from tonnage.forecast.commands.context import table
from tonnage.forecast.commands.python_installs import (
    PIP,
    cache_of,
    environment_of,
    install_requirements,
    pip_install,
    remembered_from_pip_config,
    uv_pip_install,
    uv_sync,
    uv_tool,
)
from tonnage.lazily import regex
from tonnage.model.forecast.effects import CompilePython, ExportLock, MakeEnvironment, Nothing, PythonRemove
from tonnage.model.forecast.installs import Installer, PythonInstall

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.forecast.commands.context import Context, Options
    from tonnage.model.forecast.effects import AnyEffect
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
    "--clean-unselected --with-excluded --no-clean",
    G="--group", p="--project", L="--lockfile", v="--verbose", q="--quiet", d="--dev", g="--global",
)  # fmt: skip
PIPX = table(
    "--index-url --pip-args --python --suffix --preinstall --backend",
    "--force --include-deps --system-site-packages --editable --quiet --verbose --global --fetch-missing-python",
    i="--index-url", e="--editable", f="--force", q="--quiet", v="--verbose",
)  # fmt: skip
_PIP = regex(r"pip(?:\d+(?:\.\d+)?)?")
_PYTHON = regex(r"(?:python|pypy)(?:\d+(?:\.\d+)?)?")
_CLEANING = frozenset({"purge", "remove", "clean", "prune"})
_LEADING = frozenset({"-C", "--directory", "-P", "--project", "-p"})
_UV_LEADING = frozenset({"--directory", "--project", "--cache-dir", "--color", "--config-file"})
_UV_RUN_VALUES = frozenset({
    "--extra", "--group", "--no-group", "--only-group", "--python", "-p", "--with", "--package", "--directory",
    "--project", "--env-file", "--with-requirements",
})  # fmt: skip
_PIP_TEXT = frozenset({
    "list", "freeze", "show", "check", "config", "cache", "index", "hash", "debug", "inspect", "help", "completion", "",
})  # fmt: skip
_UV_TEXT = frozenset({"lock", "version", "cache", "init", "tree", "self", "help", ""})
_POETRY_TEXT = frozenset({
    "config", "check", "lock", "env", "cache", "show", "version", "about", "self", "",
})  # fmt: skip
_PDM_TEXT = frozenset({"config", "export", "lock", "use", "cache", "list", "info", "show", ""})
_PIPX_TEXT = frozenset({"ensurepath", "list", "environment", ""})
_MAIN = ("main",)
_INSTALLING = frozenset({"install", "sync", "add", "update"})


def poetry_install(context: Context, words: Sequence[Word]) -> PythonInstall:
    """Read ``poetry install``, ``poetry sync`` or ``poetry add``; ``words`` begin with that verb."""
    options = POETRY.read(words[1:])
    folder = options.last("--directory", "--project")
    project = context.absolute(folder or ".")
    only = _several(options, "--only")
    left_out = _several(options, "--without") + (("dev",) if options.has("--no-dev") else ())
    added, unread = install_requirements(context, options.positional) if words[0].text == "add" else ((), ())
    directory = context.setting("POETRY_CACHE_DIR") or _home(context, ".cache/pypoetry")
    own = not options.has("--no-root") and (not only or options.has("--only-root"))
    return PythonInstall(
        **context.shared,
        installer=Installer.POETRY,
        requirements=added,
        project_directory=project,
        project_itself=own,
        project_editable=own,
        extras=_several(options, "--extras"),
        all_extras=options.has("--all-extras"),
        groups=_several(options, "--with"),
        without_groups=left_out,
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


def python_effects(context: Context, program: str, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    """Return what a program of this family does; nothing for every other program."""
    if _PIP.fullmatch(program):
        return _pip(context, words, program.removeprefix("pip"))
    if _PYTHON.fullmatch(program):
        return _interpreter(context, words)
    reader = _READERS.get(program)
    return () if reader is None else reader(context, words)


def _uvx(context: Context, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    return (context.opaque(f"uvx installs {words[0].text if words else 'a tool'} and runs it"),)


def _virtualenv(context: Context, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    texts = [word.text for word in words]
    folder = next((text for text in texts if not text.startswith("-")), "venv")
    return _environment(context, folder, _after(texts, "-p", "--python"), with_pip="--no-pip" not in texts)


def _environment(context: Context, folder: str, python: str, *, with_pip: bool) -> tuple[AnyEffect, ...]:
    directory = context.absolute(folder)
    return (MakeEnvironment(**context.shared, directory=directory, with_pip=with_pip, python=python),)


def _poetry(context: Context, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    verb, action = _verb(words, _LEADING)
    if action in _INSTALLING:
        return (poetry_install(context, (words[verb], *words[:verb], *words[verb + 1 :])),)
    if action == "config":
        context.remembered.update(remembered_from_poetry_config(words[verb + 1 :]))
    if action == "export":
        # Without --with and --only it has the main group alone.
        texts = [word.text for word in words]
        alone = (
            () if {"--only", "--with", "--dev", "--all-groups"} & {text.partition("=")[0] for text in texts} else _MAIN
        )
        install = poetry_install(context, (words[verb], *words[:verb], *words[verb + 1 :]))
        return _exported(context, words, replace(install, only_groups=install.only_groups or alone), "-o", "--output")
    return _quiet_or_opaque(context, f"poetry {action} runs a program", quiet=action in _POETRY_TEXT)


def _exported(context: Context, words: Sequence[Word], install: PythonInstall, *options: str) -> tuple[AnyEffect, ...]:
    """Return what a command does that writes a lock as a requirement file, or prints it."""
    named = _after([word.text for word in words], *options)
    path = context.absolute(named) if named else context.output() or ("-" if context.piped_to else "")
    made = replace(install, project_itself=False, project_editable=False)
    return (page(context, named), *((ExportLock(**context.shared, path=path, install=made),) if path else ()))


def _pdm(context: Context, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    verb, action = _verb(words, _LEADING)
    if action in _INSTALLING:
        return (pdm_install(context, (words[verb], *words[:verb], *words[verb + 1 :])),)
    return _quiet_or_opaque(context, f"pdm {action} runs a program", quiet=action in _PDM_TEXT)


def _pipx(context: Context, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    verb, action = _verb(words)
    if action == "install":
        return (pipx_install(context, words[verb:]),)
    return _quiet_or_opaque(context, f"pipx {action} runs a program", quiet=action in _PIPX_TEXT)


def _quiet_or_opaque(context: Context, reason: str, *, quiet: bool) -> tuple[AnyEffect, ...]:
    return (Nothing(**context.shared) if quiet else context.opaque(reason),)


def _verb(words: Sequence[Word], valued: frozenset[str] = frozenset()) -> tuple[int, str]:
    """Return where the first word stands that is no option, and that word; options may take a value."""
    at = 0
    while at < len(words) and words[at].text.startswith("-"):
        at += 2 if words[at].text in valued else 1
    return at, words[at].text if at < len(words) else ""


def _pip(context: Context, words: Sequence[Word], python: str) -> tuple[AnyEffect, ...]:
    """Read the words after ``pip``; options may stand before the verb."""
    texts = [word.text for word in words]
    verb, action = _verb(words, PIP.values)
    rest = words[verb + 1 :]
    if "--dry-run" in texts:
        return (page(context),)
    if action in {"install", "download", "wheel"}:
        return (pip_install(context, (words[verb], *words[:verb], *rest), python),)
    if action == "uninstall":
        packages = tuple(text for text in texts[verb + 1 :] if not text.startswith("-"))
        home = environment_of(context, _after(texts[:verb], "--python"))
        return (PythonRemove(**context.shared, packages=packages, virtual_environment=home),)
    if action == "cache" and _CLEANING & set(texts):
        return (PythonRemove(**context.shared, cache_of=Installer.PIP),)
    if action == "config":
        context.remembered.update(remembered_from_pip_config(rest))
    if action not in _PIP_TEXT:
        return (context.opaque(f"what pip {action} writes is not known"),)
    return (page(context),)


def _interpreter(context: Context, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    texts = [word.text for word in words]
    at = texts.index("-m") if "-m" in texts else None
    if at is None or at + 1 >= len(texts) or any(not text.startswith("-") for text in texts[:at]):
        own_program = texts[:1] == ["-c"] or not texts
        return (context.opaque("it runs a program of its own" if own_program else f"it runs {texts[0]}"),)
    module, rest = texts[at + 1], words[at + 2 :]
    own = context.command.words[0].text
    plain = [word.text for word in rest if not word.text.startswith("-")]
    if module == "pip":
        return _pip(context, rest, own)
    if module == "uv":
        return _uv(context, rest)
    if module in {"venv", "virtualenv"}:
        with_pip = not {"--without-pip", "--no-pip"} & {word.text for word in rest}
        return _environment(context, plain[0], own, with_pip=with_pip) if plain else ()
    if module == "compileall":
        return (CompilePython(**context.shared, paths=tuple(context.absolute(path) for path in plain)),)
    if module in {"poetry", "pdm", "pipx"}:
        return python_effects(context, module, rest)
    return (context.opaque(f"it runs the module {module}"),)


def _uv(context: Context, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    """Read the words after ``uv``; options may stand before the verb."""
    verb, action = _verb(words, _UV_LEADING)
    before, rest = words[:verb], words[verb + 1 :]
    inner = rest[0].text if rest else ""
    if action == "pip":
        return _uv_pip(context, before, rest, inner)
    if action == "export":
        return _exported(context, words, uv_sync(context, (words[verb], *before, *rest)), "-o", "--output-file")
    if action in {"sync", "add"}:
        return (uv_sync(context, (words[verb], *before, *rest)),)
    if action == "run":
        return _uv_run(context, (words[verb], *before, *rest))
    if action == "tool" and inner == "install":
        return (uv_tool(context, rest),)
    if action == "venv":
        return _uv_venv(context, rest)
    if action == "cache" and inner in _CLEANING:
        return (PythonRemove(**context.shared, cache_of=Installer.UV_PIP),)
    if action in _UV_TEXT:
        return (page(context),)
    return (context.opaque(f"what uv {action} writes is not known"),)


def _uv_pip(context: Context, before: Sequence[Word], rest: Sequence[Word], inner: str) -> tuple[AnyEffect, ...]:
    if inner in {"install", "sync"} and "--dry-run" not in {word.text for word in rest}:
        return (uv_pip_install(context, (rest[0], *before, *rest[1:])),)
    texts = [word.text for word in rest]
    if inner == "uninstall":
        packages = tuple(text for text in texts[1:] if not text.startswith("-"))
        home = environment_of(context, _after(texts, "-p", "--python"))
        home = "" if "--system" in texts else home or context.setting("VIRTUAL_ENV")
        return (PythonRemove(**context.shared, packages=packages, virtual_environment=home),)
    return (page(context, _after(texts, "-o", "--output-file") if inner == "compile" else ""),)


def _uv_venv(context: Context, rest: Sequence[Word]) -> tuple[AnyEffect, ...]:
    texts = [word.text for word in rest]
    plain = [
        text
        for at, text in enumerate(texts)
        if not text.startswith("-") and not (at and texts[at - 1] in {"-p", "--python", "--prompt"})
    ]
    folder = plain[0] if plain else context.setting("UV_PROJECT_ENVIRONMENT") or ".venv"
    return _environment(context, folder, _after(texts, "-p", "--python"), with_pip="--seed" in texts)


def _uv_run(context: Context, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    """``uv run`` first does what ``uv sync`` does, then runs a program."""
    texts = [word.text for word in words]
    end = 1
    while end < len(texts) and texts[end].startswith("-") and texts[end] != "--":
        end += 2 if texts[end] in _UV_RUN_VALUES else 1
    ran = " ".join(texts[end:]).removeprefix("-- ")
    run = context.opaque(f"uv runs {ran.partition(' ')[0]}")
    if {"--no-sync", "--no-project"} & set(texts[:end]) or context.on("UV_NO_SYNC"):
        return (run,)
    return (uv_sync(context, words[:end]), run)


def _after(texts: Sequence[str], *names: str) -> str:
    """Return the value of an option in a plain row of words."""
    for at, text in enumerate(texts):
        if text in names:
            return texts[at + 1] if at + 1 < len(texts) else ""
        for name in names:
            if text.startswith(f"{name}="):
                return text.partition("=")[2]
    return ""


_READERS = {"uv": _uv, "uvx": _uvx, "virtualenv": _virtualenv, "poetry": _poetry, "pdm": _pdm, "pipx": _pipx}
