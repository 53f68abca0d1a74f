"""What builds a project into a wheel, writes what it needs as a requirement file, or makes environments of it.

Source: the help texts of build 1.6, uv 0.13.9, Poetry 2, PDM 2, Hatch 1.16, Flit 3 and pip-tools 7.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.forecast.commands.cheap_commands import page
from tonnage.forecast.commands.context import table
from tonnage.forecast.commands.python_indexes import indexes
from tonnage.forecast.commands.python_installs import (
    PIP,
    UV_PIP,
    cache_of,
    listed_paths,
    pip_cache,
    uv_compile,
)
from tonnage.model.forecast.effects import ExportLock, MakeEnvironment, Nothing
from tonnage.model.forecast.installs import Cache, CacheKind, Installer, PythonInstall
from tonnage.model.forecast.requirements import Requirement, RequirementKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.forecast.commands.context import Context, Table
    from tonnage.model.forecast.effects import AnyEffect
    from tonnage.model.forecast.shell_script import Word

_BUILDS: dict[str, tuple[Table, tuple[str, ...]]] = {
    # Each with the options that name where the result goes.
    "build": (
        table("--outdir --config-setting --installer", "--wheel --sdist --no-isolation --skip-dependency-check "
              "--verbose", o="--outdir", w="--wheel", s="--sdist", n="--no-isolation", x="--skip-dependency-check",
              C="--config-setting", v="--verbose"),
        ("--outdir",),
    ),
    "uv": (
        table("--out-dir --package --build-constraints --python --config-setting --index --default-index --index-url "
              "--extra-index-url --find-links --directory --project --cache-dir --link-mode --color",
              "--wheel --sdist --list --all-packages --no-build-isolation --quiet --verbose --force-pep517 "
              "--no-sources --clear --no-cache", o="--out-dir", p="--python", q="--quiet", v="--verbose",
              n="--no-cache"),
        ("--out-dir",),
    ),
    "poetry": (
        table("--format --output --directory --project --local-version --config-settings", "--clean --no-interaction "
              "--quiet --no-ansi --no-cache", f="--format", o="--output", C="--directory", P="--project",
              n="--no-interaction", q="--quiet"),
        ("--output",),
    ),
    "pdm": (
        table("--dest --project --config-setting", "--no-sdist --no-wheel --no-clean --no-isolation --verbose --quiet",
              d="--dest", p="--project", v="--verbose", q="--quiet"),
        ("--dest",),
    ),
    "hatch": (
        table("--target --ext --env", "--clean --hooks-only --no-hooks --clean-only --clean-hooks-after", t="--target",
              c="--clean", e="--env"),
        (),
    ),
    "flit": (table("--format --ini-file", "--setup-py --no-setup-py --no-use-vcs", f="--format"), ()),
    "setup.py": (table("--dist-dir --build-number --plat-name --python-tag", "--universal", d="--dist-dir"),
                 ("--dist-dir",)),
}  # fmt: skip
_HATCH = table(
    "--env --project --data-dir --cache-dir --config", "--verbose --quiet --no-color --interactive --no-interactive",
    e="--env", p="--project", v="--verbose", q="--quiet",
)  # fmt: skip
_HATCH_TEXT = frozenset({"", "version", "config", "status", "project", "python", "clean", "new", "self", "find", "show",
                         "remove", "prune"})  # fmt: skip
_COMPILE = table(
    "--output-file --extra --index-url --extra-index-url --find-links --resolver --cache-dir --pip-args "
    "--upgrade-package --constraint --annotation-style --newline --unsafe-package --cert --client-cert --trusted-host "
    "--config --max-rounds --build-deps-for --python --group --no-binary --only-binary",
    "--generate-hashes --upgrade --no-header --header --strip-extras --no-strip-extras --all-extras --allow-unsafe "
    "--no-allow-unsafe --emit-index-url --no-emit-index-url --emit-trusted-host --no-emit-trusted-host --emit-options "
    "--no-emit-options --emit-find-links --no-emit-find-links --quiet --verbose --dry-run --rebuild --pre "
    "--no-annotate --annotate --no-index --build-isolation --no-build-isolation --reuse-hashes --no-reuse-hashes "
    "--no-config --all-build-deps --only-build-deps",
    o="--output-file", i="--index-url", f="--find-links", P="--upgrade-package", c="--constraint", U="--upgrade",
    q="--quiet", v="--verbose", n="--dry-run", p="--pre",
)  # fmt: skip
_OPAQUE_OF_HATCH = "it installs tools of its own, and runs them"


def built_project(context: Context, tool: str, words: Sequence[Word]) -> AnyEffect:
    """Read what builds a project; ``words`` are those after the verb, or before it where options may stand there."""
    reads, places = _BUILDS[tool]
    options = reads.read(words)
    if not all(word.known for word in words):
        return context.opaque("its words are not known")
    plain = [word.text for word in options.positional]
    folder = options.last("--directory", "--project") or (plain[0] if plain and tool in {"build", "uv"} else ".")
    directory = context.absolute(folder)
    named = options.last(*places) if places else (plain[0] if plain and tool == "hatch" else "")
    place = context.absolute(named) if named else posixpath.join(directory, "dist")
    project = Requirement(text=directory, kind=RequirementKind.PATH, place=context.place, location=directory)
    return PythonInstall(
        **context.shared,
        installer=Installer.UV_PIP if tool == "uv" else Installer.POETRY if tool == "poetry" else Installer.PIP,
        requirements=(project,),
        no_deps=True,
        target=place,
        cache=Cache(kind=CacheKind.NONE),
        compiles=False,
        downloads_only=True,
        runs_in=directory,
    )


def pip_compile(context: Context, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    """Read ``pip-compile``; ``words`` are those after the program."""
    options = _COMPILE.read(words)
    sources = [word.text for word in options.positional] or ["requirements.in"]
    named = options.last("--output-file")
    first = sources[0]
    usual = f"{first.removesuffix('.in')}.txt" if len(sources) == 1 and first.endswith(".in") else "requirements.txt"
    path = _output(context, named) if named == "-" or options.has("--dry-run") else context.absolute(named or usual)
    if not all(word.known for word in words):
        return (page(context, named or usual),)
    made = PythonInstall(
        **context.shared,
        installer=Installer.PIP,
        requirement_files=listed_paths(context, sources),
        standard_input=context.standard_input if "-" in sources else None,
        constraint_files=listed_paths(context, options.all("--constraint")),
        extras=options.all("--extra"),
        all_extras=options.has("--all-extras"),
        options=indexes(context, options, "PIP"),
        upgrade=options.has("--upgrade", "--upgrade-package"),
        cache=Cache(kind=CacheKind.NONE),
        runs_in=context.command.working_directory,
    )
    return exported(context, path, made, with_indexes=not options.has("--no-emit-index-url"))


def uv_pip_compile(context: Context, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    """Read ``uv pip compile``; ``words`` are those after ``compile``, and those before ``pip``."""
    named = [word for word in words if word.text.partition("=")[0] in {"-o", "--output-file"}]
    options = UV_PIP.read(words)
    path = options.last("--output-file")
    path = context.absolute(path) if path and path != "-" else _output(context, path)
    if not all(word.known for word in words) or (named and not path):
        return (page(context, path),)
    made = uv_compile(context, words)
    return exported(context, path, made, with_indexes=options.has("--emit-index-url"))


def pip_sync(context: Context, words: Sequence[Word]) -> AnyEffect:
    """Read ``pip-sync``, which installs what files name, and nothing besides."""
    options = PIP.read(words)
    files = [word.text for word in options.positional] or ["requirements.txt"]
    off = bool(context.setting("PIP_NO_CACHE_DIR")) or "--no-cache-dir" in context.text
    return PythonInstall(
        **context.shared,
        installer=Installer.PIP,
        requirement_files=listed_paths(context, files),
        options=indexes(context, options, "PIP"),
        no_deps=True,
        user_base=context.user_base if options.has("--user") else "",
        cache=cache_of(context, pip_cache(context), off=off),
        runs_in=context.command.working_directory,
        unread=tuple(word.text for word in options.positional if not word.known),
    )


def hatch(context: Context, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    """Read ``hatch``; ``words`` are those after the program."""
    at = 0
    while at < len(words) and words[at].text.startswith("-"):
        at += 2 if _HATCH.read(words[at : at + 1]).has("--env", "--project") and "=" not in words[at].text else 1
    leading, rest = _HATCH.read(words[:at]), words[at + 1 :]
    texts = [word.text for word in rest]
    project = context.absolute(leading.last("--project") or ".")
    chosen = leading.last("--env") or context.setting("HATCH_ENV") or "default"
    verb = words[at].text if at < len(words) else ""
    if verb == "build":
        return (built_project(context, "hatch", rest),)
    if verb in {"run", "shell"}:
        named, colon, _ = (texts[0] if texts else "").partition(":")
        made = _hatch_environment(context, project, named if colon else chosen)
        return (*made, context.opaque("hatch runs a program")) if verb == "run" else made
    if verb == "env" and texts[:1] in (["create"], ["run"]):
        plain = [text for text in texts[1:] if not text.startswith("-")]
        if texts[0] == "create":
            return _hatch_environment(context, project, plain[0] if plain else chosen)
        named = next((texts[at + 1] for at, text in enumerate(texts[:-1]) if text in {"-e", "--env"}), chosen)
        return (*_hatch_environment(context, project, named), context.opaque("hatch runs a program"))
    if verb == "dep" and texts[:2] == ["show", "requirements"]:
        install = _hatch_install(context, project, "")
        if {"-e", "--env-only"} & set(texts):
            return (page(context),)
        features = tuple(texts[at + 1] for at, text in enumerate(texts[:-1]) if text in {"-f", "--feature"})
        every = bool({"-a", "--all"} & set(texts))
        return exported(context, _output(context), replace(install, extras=features, all_extras=every))
    quiet = verb in _HATCH_TEXT or (verb in {"env", "dep"} and texts[:1] != ["lock"])
    return (Nothing(**context.shared) if quiet else context.opaque(_OPAQUE_OF_HATCH),)


def flit(context: Context, words: Sequence[Word]) -> tuple[AnyEffect, ...]:
    """Read ``flit``; ``words`` are those after the program."""
    if words and words[0].text == "build":
        return (built_project(context, "flit", words[1:]),)
    return (context.opaque("what flit writes is not known"),)


def _hatch_environment(context: Context, project: str, name: str) -> tuple[AnyEffect, ...]:
    install = _hatch_install(context, project, name)
    return (MakeEnvironment(**context.shared, directory=install.virtual_environment, once=True), install)


def _hatch_install(context: Context, project: str, name: str) -> PythonInstall:
    """Return what is installed into an environment of Hatch; without a name what the project itself needs."""
    home = context.setting("HATCH_DATA_DIR") or f"{context.setting('HOME') or '/root'}/.local/share/hatch"
    off = bool(context.setting("PIP_NO_CACHE_DIR"))
    return PythonInstall(
        **context.shared,
        installer=Installer.HATCH,
        options=indexes(context, PIP.read(()), "PIP"),
        project_directory=project,
        project_itself=bool(name),
        project_editable=bool(name),
        groups=(name,) if name else (),
        without_groups=() if name else ("*",),
        virtual_environment=f"{home}/env/virtual/project/{name}",
        cache=cache_of(context, pip_cache(context), off=off),
        runs_in=context.command.working_directory,
    )


def _output(context: Context, named: str = "") -> str:
    """Return the file or the pipe that standard output goes to; empty where nobody reads it."""
    return "" if named not in {"", "-"} else context.output() or context.pipe


def exported(context: Context, path: str, made: PythonInstall, *, with_indexes: bool = False) -> tuple[AnyEffect, ...]:
    """Return what a command does that writes a lock as a requirement file; one that nobody reads is printed."""
    if not path:
        return (page(context),)
    return (ExportLock(**context.shared, path=path, install=made, with_indexes=with_indexes),)
