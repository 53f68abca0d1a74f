"""What ``pip`` and ``uv`` install and where they look for it, with every setting from the environment and the line.

Source: ``pip install --help`` of pip 26.3, ``uv pip install --help`` and ``uv sync --help`` of uv 0.13.9.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.forecast.commands.context import table
from tonnage.forecast.commands.environments import SYSTEM
from tonnage.forecast.commands.python_indexes import indexes
from tonnage.forecast.commands.settings_of_pip import keeps_no_cache_by_file
from tonnage.forecast.requirements.lines import read_requirement
from tonnage.model.forecast.installs import Cache, CacheKind, Installer, PythonInstall

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.forecast.commands.context import Context, Options
    from tonnage.model.forecast.requirements import Requirement
    from tonnage.model.forecast.shell_script import Word

_QUIET = (
    "--quiet --verbose --no-input --isolated --disable-pip-version-check --no-color --no-warn-script-location "
    "--no-warn-conflicts --debug --no-clean --use-pep517 --no-build-isolation --check-build-dependencies "
    "--ignore-requires-python --no-python-version-warning --require-virtualenv --allow-unverified"
)
_LOUD = (
    "--root-user-action --progress-bar --timeout --retries --proxy --exists-action --cert --client-cert --log "
    "--keyring-provider --use-feature --use-deprecated --config-settings --global-option --report --src "
    "--upgrade-strategy"
)
PIP = table(
    f"{_LOUD} --requirement --constraint --editable --target --platform --python-version --implementation --abi "
    "--root --prefix --no-binary --only-binary --index-url --extra-index-url --find-links --python --trusted-host "
    "--cache-dir --dest --wheel-dir --group --build-constraint",
    f"{_QUIET} --no-deps --pre --dry-run --user --upgrade --force-reinstall --ignore-installed "
    "--break-system-packages --compile --no-compile --prefer-binary --require-hashes --no-index --no-cache-dir "
    "--no-cache",
    r="--requirement", c="--constraint", e="--editable", t="--target", U="--upgrade", I="--ignore-installed",
    i="--index-url", f="--find-links", q="--quiet", v="--verbose", C="--config-settings", d="--dest",
    w="--wheel-dir",
)  # fmt: skip
_UV_VALUES = (
    "--extra --group --no-group --only-group --index --default-index --index-url --extra-index-url --find-links "
    "--index-strategy --keyring-provider --upgrade-package --upgrade-group --resolution --prerelease "
    "--prerelease-package --fork-strategy --exclude-newer --exclude-newer-package --no-sources-package "
    "--reinstall-package --link-mode --config-setting --config-settings-package --no-build-isolation-package "
    "--cache-dir --refresh-package --python --color --allow-insecure-host --directory --project --config-file "
    "--python-platform --python-version --no-editable-package --cert --no-extra --no-install-package --package "
    "--script --no-binary-package --no-build-package --output-format --with --with-requirements "
    "--output-file --format --annotation-style --custom-compile-command --no-emit-package --prune"
)
_UV_FLAGS = (
    "--no-editable --all-extras --no-deps --require-hashes --no-verify-hashes --require-build-hashes --system "
    "--break-system-packages --no-break-system-packages --no-build --exact --strict --dry-run --check --no-index "
    "--upgrade --no-sources --reinstall --compile-bytecode --no-compile-bytecode --no-build-isolation --no-cache "
    "--refresh --managed-python --no-managed-python --no-python-downloads --quiet --verbose --system-certs "
    "--native-tls --offline --no-progress --no-config --no-dev --dev --only-dev --no-default-groups --all-groups "
    "--inexact --active --no-install-project --no-install-workspace --no-install-local --locked --frozen "
    "--all-packages --no-verify --user --preview --force --universal --no-strip-extras --no-strip-markers "
    "--no-annotate --no-header --generate-hashes --emit-index-url --emit-find-links --emit-build-options "
    "--emit-marker-expression --emit-index-annotation --no-hashes --no-emit-project"
)
UV_PIP = table(
    f"{_UV_VALUES} --requirements --editable --constraints --overrides --excludes --build-constraints --target "
    "--prefix --no-binary --only-binary --torch-backend",
    f"{_UV_FLAGS} --pre",
    r="--requirements", e="--editable", c="--constraints", b="--build-constraints", t="--target", U="--upgrade",
    P="--upgrade-package", n="--no-cache", p="--python", q="--quiet", v="--verbose", i="--index-url",
    f="--find-links", C="--config-setting", o="--output-file",
)  # fmt: skip
UV_SYNC = table(
    _UV_VALUES,
    f"{_UV_FLAGS} --no-binary",
    U="--upgrade", P="--upgrade-package", n="--no-cache", p="--python", q="--quiet", v="--verbose",
    i="--index-url", f="--find-links", C="--config-setting", o="--output-file",
)  # fmt: skip
_UV_NAMES = {
    "--requirement": "--requirements", "--constraint": "--constraints", "--override": "--overrides",
    "--compile": "--compile-bytecode", "--no-cache-dir": "--no-cache", "--build-constraint": "--build-constraints",
    "--force-reinstall": "--reinstall", "--exclude": "--excludes", "--config-settings": "--config-setting",
}  # fmt: skip
_STANDARD_INPUT = frozenset({"-", "/dev/stdin"})
# Options whose environment variables have one value, or several, or are on or off.
# What pip takes for a no; it gives the value of PIP_NO_COMPILE to what --compile sets.
# Source: "Boolean options" of the user guide of pip 26.3, and measured with 23.0.
_FALSE = frozenset({"0", "n", "no", "f", "false", "off"})


def pip_install(context: Context, words: Sequence[Word], python: str) -> PythonInstall:
    """Read ``pip install``, ``pip download`` or ``pip wheel`` of the interpreter that is named, if any."""
    action = words[0].text
    options = PIP.read(words[1:])
    keeps_files = action != "install"
    folder = options.last("--dest", "--wheel-dir") or "." if keeps_files else options.last("--target")
    no_cache = options.has("--no-cache-dir", "--no-cache") or bool(context.setting("PIP_NO_CACHE_DIR"))
    requirements, unread = _requirements(context, options)
    files = (*options.all("--requirement"), *listed_in(context, "PIP_REQUIREMENT"))
    temporary = context.setting("TMPDIR") or "/tmp"  # noqa: S108 - the path in the image
    prefix = _path(context, options.last("--prefix", "--root") or context.setting("PIP_PREFIX"))
    environment = environment_of(context, options.last("--python"))
    told = options.has("--user") or context.on("PIP_USER")
    # Source: pip 20 to 26, ``decide_user_install``.
    falls_back = bool(context.user) and not (told or keeps_files or folder or prefix or environment)
    return PythonInstall(
        **context.shared,
        installer=Installer.PIP,
        requirements=requirements,
        requirement_files=listed_paths(context, files),
        constraint_files=listed_paths(context, (*options.all("--constraint"), *listed_in(context, "PIP_CONSTRAINT"))),
        standard_input=_input(context, files),
        groups=options.all("--group"),
        options=indexes(context, options, "PIP"),
        no_deps=options.has("--no-deps") or context.on("PIP_NO_DEPS"),
        upgrade=options.has("--upgrade") or context.on("PIP_UPGRADE"),
        force_reinstall=options.has("--force-reinstall") or context.on("PIP_FORCE_REINSTALL"),
        ignore_installed=options.has("--ignore-installed") or context.on("PIP_IGNORE_INSTALLED"),
        python=options.last("--python") or python,
        target=context.absolute(folder) if folder else _path(context, context.setting("PIP_TARGET")),
        prefix=prefix,
        user_base=context.user_base if told or falls_back else "",
        falls_back=falls_back,
        sees_base="" if environment else context.user_base,
        sees=tuple(context.absolute(each) for each in context.setting("PYTHONPATH").split(":") if each),
        virtual_environment=environment,
        platforms=options.all("--platform"),
        python_version=options.last("--python-version"),
        cache=cache_of(
            context, _cache(context, options, "PIP_CACHE_DIR", "pip"), off=no_cache or keeps_no_cache_by_file(context)
        ),
        compiles=not keeps_files and _pip_compiles(context, options),
        temporary_mounted=context.mount_over(temporary) is not None,
        downloads_only=keeps_files,
        secret_settings=context.secrets("pip.conf", "PIP_CONFIG_FILE"),
        runs_in=context.command.working_directory,
        unread=(*unread, *options.unknown),
    )


def _pip_compiles(context: Context, options: Options) -> bool:
    """Return whether pip writes bytecode. Its variable says by its value what the option would have to say."""
    if options.has("--compile", "--no-compile"):
        return not options.has("--no-compile")
    return not any(context.setting(name).strip().lower() in _FALSE for name in ("PIP_NO_COMPILE", "PIP_COMPILE"))


def uv_pip_install(context: Context, words: Sequence[Word]) -> PythonInstall:
    """Read ``uv pip install`` or ``uv pip sync``; ``words`` are those after ``uv pip``."""
    options = UV_PIP.read(_named(words[1:]))
    positional_files: tuple[str, ...] = ()
    if words[0].text == "sync":
        positional_files = tuple(word.text for word in options.positional)
        options = replace(options, positional=())
    requirements, unread = _requirements(context, options)
    files = (*options.all("--requirements"), *positional_files)
    python = options.last("--python") or context.setting("UV_PYTHON")
    system = options.has("--system") or context.on("UV_SYSTEM_PYTHON")
    environment = (
        ""
        if system and not options.has("--python")
        else environment_of(context, python)
        or ("" if system else context.setting("VIRTUAL_ENV") or context.setting("CONDA_PREFIX"))
    )
    return replace(
        _uv(context, options, Installer.UV_PIP),
        requirements=requirements,
        requirement_files=listed_paths(context, files),
        constraint_files=listed_paths(context, (*options.all("--constraints"), *listed_in(context, "UV_CONSTRAINT"))),
        standard_input=_input(context, files),
        extras=options.all("--extra"),
        all_extras=options.has("--all-extras"),
        groups=options.all("--group"),
        no_deps=options.has("--no-deps") or words[0].text == "sync",
        python=python,
        target=_path(context, options.last("--target")),
        prefix=_path(context, options.last("--prefix")),
        virtual_environment=environment,
        torch_backend=options.last("--torch-backend") or context.setting("UV_TORCH_BACKEND"),
        runs_in=context.command.working_directory,
        unread=(*unread, *options.unknown),
    )


def uv_compile(context: Context, words: Sequence[Word]) -> PythonInstall:
    """Read ``uv pip compile`` as the install of what it resolves; ``words`` are its options and files."""
    options = UV_PIP.read(_named(words))
    files = tuple(word.text for word in options.positional)
    return replace(
        _uv(context, options, Installer.UV_PIP),
        requirement_files=listed_paths(context, files),
        constraint_files=listed_paths(context, (*options.all("--constraints"), *listed_in(context, "UV_CONSTRAINT"))),
        standard_input=_input(context, files),
        extras=options.all("--extra"),
        all_extras=options.has("--all-extras"),
        groups=options.all("--group"),
        no_deps=options.has("--no-deps"),
        upgrade=options.has("--upgrade", "--upgrade-package"),
        cache=Cache(kind=CacheKind.NONE),
        torch_backend=options.last("--torch-backend") or context.setting("UV_TORCH_BACKEND"),
        runs_in=context.command.working_directory,
    )


def uv_sync(context: Context, words: Sequence[Word]) -> PythonInstall:
    """Read ``uv sync``; also what ``uv run`` and ``uv add`` do before anything else."""
    options = UV_SYNC.read(_named(words[1:]))
    added, unread = _requirements(context, options) if words[0].text == "add" else ((), ())
    folder = options.last("--project", "--directory") or context.setting("UV_PROJECT")
    project = context.absolute(folder or ".")
    environment = context.setting("UV_PROJECT_ENVIRONMENT") or ".venv"
    if options.has("--active") and context.setting("VIRTUAL_ENV"):
        environment = context.setting("VIRTUAL_ENV")
    left_out = options.all("--no-group")
    left_out += ("dev",) if options.has("--no-dev") or context.on("UV_NO_DEV") else ()
    left_out += ("*",) if options.has("--no-default-groups") else ()
    only = (*options.all("--only-group"), *(("dev",) if options.has("--only-dev") else ()))
    skips_own = options.has("--no-install-project", "--no-install-workspace", "--no-install-local") or bool(only)
    editable = not (options.has("--no-editable") or context.on("UV_NO_EDITABLE"))
    home = posixpath.normpath(posixpath.join(project, environment))
    return replace(
        _uv(context, options, Installer.UV_SYNC),
        requirements=added,
        project_directory=project,
        project_itself=not skips_own,
        project_editable=editable and not skips_own,
        extras=options.all("--extra"),
        all_extras=options.has("--all-extras"),
        groups=options.all("--group"),
        without_groups=left_out,
        all_groups=options.has("--all-groups"),
        only_groups=only,
        packages=options.all("--package"),
        all_packages=options.has("--all-packages"),
        left_out=options.all("--no-install-package"),
        locked=options.has("--frozen", "--locked") or context.on("UV_FROZEN") or context.on("UV_LOCKED"),
        python=options.last("--python") or context.setting("UV_PYTHON"),
        virtual_environment="" if home in SYSTEM else home,
        unread=(*unread, *options.unknown),
    )


def uv_tool(context: Context, words: Sequence[Word]) -> PythonInstall:
    """Read ``uv tool install``; ``words`` are those after ``uv tool``."""
    options = UV_SYNC.read(_named(words[1:]))
    requirements, unread = _requirements(context, options)
    home = context.setting("UV_TOOL_DIR") or f"{context.setting('HOME')}/.local/share/uv/tools"
    name = requirements[0].name if requirements else ""
    return replace(
        _uv(context, options, Installer.UV_TOOL),
        requirements=requirements,
        python=options.last("--python"),
        virtual_environment=f"{home}/{name}",
        unread=(*unread, *options.unknown),
    )


def cache_of(context: Context, directory: str, *, off: bool) -> Cache:
    """Return where a cache is left."""
    if off:
        return Cache(kind=CacheKind.NONE)
    mount = context.mount_over(directory)
    if mount is None:
        return Cache(kind=CacheKind.IN_LAYER, directory=directory)
    if mount.kind == "cache":
        return Cache(kind=CacheKind.MOUNTED, directory=directory, mount=mount.identity)
    return Cache(kind=CacheKind.NONE, directory=directory)


def install_requirements(context: Context, words: Sequence[Word]) -> tuple[tuple[Requirement, ...], tuple[str, ...]]:
    """Read words that name requirements."""
    directory = context.command.working_directory
    read = [
        (word.text, read_requirement(word.text, context.place, directory=directory) if word.known else None)
        for word in words
    ]
    return tuple(each for _, each in read if each is not None), tuple(text for text, each in read if each is None)


def _uv(context: Context, options: Options, installer: Installer) -> PythonInstall:
    off = options.has("--no-cache") or context.on("UV_NO_CACHE")
    compiles = options.has("--compile-bytecode") or context.on("UV_COMPILE_BYTECODE")
    return PythonInstall(
        **context.shared,
        installer=installer,
        options=indexes(context, options, "UV"),
        upgrade=options.has("--upgrade"),
        force_reinstall=options.has("--reinstall"),
        platforms=options.all("--python-platform"),
        python_version=options.last("--python-version"),
        cache=cache_of(context, _cache(context, options, "UV_CACHE_DIR", "uv"), off=off),
        compiles=compiles and not options.has("--no-compile-bytecode"),
        link_mode=options.last("--link-mode") or context.setting("UV_LINK_MODE"),
        index_strategy=options.last("--index-strategy") or context.setting("UV_INDEX_STRATEGY"),
        exclude_newer=options.last("--exclude-newer") or context.setting("UV_EXCLUDE_NEWER"),
        resolution=options.last("--resolution") or context.setting("UV_RESOLUTION"),
        secret_settings=context.secrets("uv.toml", "UV_CONFIG_FILE"),
    )


def _named(words: Sequence[Word]) -> tuple[Word, ...]:
    """Give options of uv that have two names the one that the tables have."""
    parts = [(word, *word.text.partition("=")) for word in words]
    return tuple(replace(word, text=f"{_UV_NAMES.get(name, name)}{rest}{value}") for word, name, rest, value in parts)


def _requirements(context: Context, options: Options) -> tuple[tuple[Requirement, ...], tuple[str, ...]]:
    found, unread = install_requirements(context, options.positional)
    directory = context.command.working_directory
    linked = (
        read_requirement(path, context.place, directory=directory, editable=True) for path in options.all("--editable")
    )
    return (*found, *(each for each in linked if each is not None)), unread


def _cache(context: Context, options: Options, variable: str, name: str) -> str:
    given = options.last("--cache-dir") or context.setting(variable)
    return context.absolute(given) if given else _usual_cache(context, name)


def _path(context: Context, path: str) -> str:
    return context.absolute(path) if path else ""


def pip_cache(context: Context) -> str:
    """Return the directory of pip's cache where no option names one."""
    return _path(context, context.setting("PIP_CACHE_DIR")) or _usual_cache(context, "pip")


def _usual_cache(context: Context, name: str) -> str:
    base = context.setting("XDG_CACHE_HOME") or f"{context.setting('HOME') or '/root'}/.cache"
    return f"{base}/{name}"


def environment_of(context: Context, python: str) -> str:
    """Return the virtual environment that an installer of this name writes to; empty for the system's."""
    named = python if "/" in python else context.command.words[0].text
    if "/" in named:
        path = context.absolute(named)
        home = path if "/bin/" not in path else path.rpartition("/bin/")[0]
        return "" if home in SYSTEM else home
    active = context.setting("VIRTUAL_ENV")
    entries = [entry.rstrip("/") for entry in context.setting("PATH").split(":") if entry]
    if active and f"{active.rstrip('/')}/bin" in entries:
        return active.rstrip("/")
    for entry in entries:
        home = entry.removesuffix("/bin")
        if home in SYSTEM:
            return ""
        if entry.endswith("/bin") and re.search(r"venv|virtualenv|conda|/envs?\b", home):
            return home
    return ""


def listed_paths(context: Context, files: Sequence[str]) -> tuple[str, ...]:
    """Return files as they are named: ``-`` for standard input, addresses, and paths in the image."""
    fed = "-" if context.standard_input is not None else context.fed_from or "-"
    return tuple(
        fed if file in _STANDARD_INPUT else file if re.match(r"https?:", file) else context.absolute(file)
        for file in files
    )


def listed_in(context: Context, variable: str) -> tuple[str, ...]:
    """Return the values of a variable that has several."""
    return tuple(context.setting(variable).split())


def _input(context: Context, files: Sequence[str]) -> str | None:
    return context.standard_input if _STANDARD_INPUT & set(files) else None


def remembered_from_pip_config(words: Sequence[Word]) -> Mapping[str, str]:
    """Return what ``pip config set NAME VALUE`` writes, as environment variables; ``words`` follow ``pip config``."""
    plain = [word.text for word in words if not word.text.startswith("-")]
    if len(plain) < 3 or plain[0] != "set":  # noqa: PLR2004 - set NAME VALUE
        return {}
    name = plain[1].rpartition(".")[2].upper().replace("-", "_")
    return {f"PIP_{name}": plain[2]}
