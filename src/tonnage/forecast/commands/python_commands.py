"""``pip``, ``python -m``, ``uv``, ``poetry``, ``pdm``, ``pipx`` and ``virtualenv``: which of their verbs installs what.

Source: the help texts of pip 26.3 and uv 0.13.9.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.forecast.commands.cheap_commands import cheap, page
from tonnage.forecast.commands.environments import environment, with_environment, with_own_environment
from tonnage.forecast.commands.poetry_and_pdm import (
    pdm_install,
    pipx_install,
    poetry_install,
    remembered_from_poetry_config,
)
from tonnage.forecast.commands.project_tools import (
    built_project,
    exported,
    flit,
    hatch,
    pip_compile,
    pip_sync,
    uv_pip_compile,
)
from tonnage.forecast.commands.python_installs import (
    PIP,
    environment_of,
    pip_install,
    remembered_from_pip_config,
    uv_pip_install,
    uv_sync,
    uv_tool,
)
from tonnage.lazily import regex
from tonnage.model.forecast.effects import CompilePython, Nothing, PythonRemove
from tonnage.model.forecast.installs import Installer, PipRuns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tonnage.forecast.commands.context import Context
    from tonnage.model.forecast.effects import AnyEffect
    from tonnage.model.forecast.installs import PythonInstall
    from tonnage.model.forecast.shell_script import Word

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
_PDM_TEXT = frozenset({"config", "lock", "use", "cache", "list", "info", "show", ""})
_PIPX_TEXT = frozenset({"ensurepath", "list", "environment", ""})
_SETUP = frozenset({"setup.py", "bdist_wheel", "sdist", "build", "egg_info", "clean"})
_MAIN = ("main",)
_INSTALLING = frozenset({"install", "sync", "add", "update"})


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
    seeded = "--no-pip" not in texts and "--without-pip" not in texts
    return environment(context, folder, _after(texts, "-p", "--python"), with_pip=seeded, by_virtualenv=True)


def _poetry(context: Context, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    verb, action = _verb(words, _LEADING)
    if action in _INSTALLING:
        install = poetry_install(context, (words[verb], *words[:verb], *words[verb + 1 :]))
        with_pip = not context.on("POETRY_VIRTUALENVS_OPTIONS_NO_PIP")
        return with_environment(context, install, with_pip=with_pip)
    if action == "build":
        return (built_project(context, "poetry", (*words[:verb], *words[verb + 1 :])),)
    if action == "config":
        context.remembered.update(remembered_from_poetry_config(words[verb + 1 :]))
        return (cheap(context),)
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
    path = context.absolute(named) if named else context.output() or context.pipe
    made = replace(install, project_itself=False, project_editable=False)
    return exported(context, path, made)


def _pdm(context: Context, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    verb, action = _verb(words, _LEADING)
    if action in _INSTALLING:
        install = pdm_install(context, (words[verb], *words[:verb], *words[verb + 1 :]))
        return with_environment(context, install, with_pip=context.on("PDM_VENV_WITH_PIP"))
    if action == "export":
        return _exported(
            context, words, pdm_install(context, (words[verb], *words[:verb], *words[verb + 1 :])), "-o", "--output"
        )
    if action == "build":
        return (built_project(context, "pdm", (*words[:verb], *words[verb + 1 :])),)
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
    written = cheap(context) if action == "config" else page(context)
    return (PipRuns(**context.shared), *([] if isinstance(written, Nothing) else [written]))


def _interpreter(context: Context, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    texts = [word.text for word in words]
    at = texts.index("-m") if "-m" in texts else None
    if texts[:1] == ["setup.py"] and {"bdist_wheel", "sdist"} & set(texts[1:]):
        return (built_project(context, "setup.py", [word for word in words if word.text not in _SETUP]),)
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
        return _environment(context, module, rest)
    if module == "compileall":
        return (CompilePython(**context.shared, paths=tuple(context.absolute(path) for path in plain)),)
    if module == "build":
        return (built_project(context, "build", rest),)
    if module == "piptools":
        return python_effects(context, f"pip-{plain[0]}", rest[1:]) if plain else ()
    if module in {"poetry", "pdm", "pipx", "hatch", "flit"}:
        return python_effects(context, module, rest)
    return (context.opaque(f"it runs the module {module}"),)


def _environment(context: Context, module: str, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    """Read the words after ``python -m venv`` or ``python -m virtualenv``."""
    own = context.command.words[0].text
    said = {word.text for word in words}
    places = [word.text for word in words if not word.text.startswith("-")]
    if not places:
        return ()
    # As it is without options, made by the interpreter of the image; pip may be left out.
    usual = module == "venv" and said <= {places[0], "--without-pip"} and all(word.known for word in words)
    plain = usual and len(places) == 1 and own.removeprefix("/usr/local/bin/") in {"python", "python3"}
    return environment(
        context,
        places[0],
        own,
        with_pip=not {"--without-pip", "--no-pip"} & said,
        by_virtualenv=module != "venv",
        plain=plain and not environment_of(context, own),
    )


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
        return with_own_environment(context, uv_sync(context, (words[verb], *before, *rest)))
    if action == "run":
        return _uv_run(context, (words[verb], *before, *rest))
    if action == "tool" and inner == "install":
        return with_own_environment(context, uv_tool(context, rest))
    if action == "venv":
        return _uv_venv(context, rest)
    if action == "build":
        return (built_project(context, "uv", (*before, *rest)),)
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
    if inner == "compile":
        return uv_pip_compile(context, (*before, *rest[1:]))
    return (page(context),)


def _uv_venv(context: Context, rest: Sequence[Word]) -> tuple[AnyEffect, ...]:
    texts = [word.text for word in rest]
    plain = [
        text
        for at, text in enumerate(texts)
        if not text.startswith("-") and not (at and texts[at - 1] in {"-p", "--python", "--prompt"})
    ]
    folder = plain[0] if plain else context.setting("UV_PROJECT_ENVIRONMENT") or ".venv"
    return environment(context, folder, _after(texts, "-p", "--python"), with_pip="--seed" in texts)


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
    install = replace(uv_sync(context, words[:end]), project_optional=True)
    return (*with_own_environment(context, install), run)


def _after(texts: Sequence[str], *names: str) -> str:
    """Return the value of an option in a plain row of words."""
    for at, text in enumerate(texts):
        if text in names:
            return texts[at + 1] if at + 1 < len(texts) else ""
        for name in names:
            if text.startswith(f"{name}="):
                return text.partition("=")[2]
    return ""


_READERS: dict[str, Callable[[Context, Sequence[Word]], tuple[AnyEffect, ...]]] = {
    "uv": _uv, "uvx": _uvx, "virtualenv": _virtualenv, "poetry": _poetry, "pdm": _pdm, "pipx": _pipx, "hatch": hatch,
    "flit": flit, "pip-compile": pip_compile, "pip-sync": lambda context, words: (pip_sync(context, words),),
    "pyproject-build": lambda context, words: (built_project(context, "build", words),),
}  # fmt: skip
