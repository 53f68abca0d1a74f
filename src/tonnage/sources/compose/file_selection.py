"""Which files make up a stack, and which variables are set in them: what Compose decides before it reads a file.

Source: the Compose command-line reference, chapters File and Pre-defined environment variables, and the loader of
Compose v2 (compose-go, package cli).
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.errors import UsageError
from tonnage.escapes import visible_in_line
from tonnage.lazily import regex
from tonnage.model.marks import marked, unmarked
from tonnage.small_files import COMPOSE_FILE, VARIABLES, UnfitFileError
from tonnage.sources.compose.files import HERE, RememberedFiles
from tonnage.sources.compose.scalars import tidy
from tonnage.sources.compose.variables import read_dotenv
from tonnage.sources.outside import is_shown, nothing_quoted_from_outside, project_root

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.model.stack import Place
    from tonnage.small_files import FileKind
    from tonnage.sources.compose.files import Files
    from tonnage.sources.compose.nodes import ComposeNode

FILE_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
OVERRIDE_NAMES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)
STACK_VARIABLES = frozenset(
    {
        "COMPOSE_FILE", "COMPOSE_PATH_SEPARATOR", "COMPOSE_PROFILES", "COMPOSE_PROJECT_NAME", "COMPOSE_ENV_FILES",
        "COMPOSE_DISABLE_ENV_FILE",
    }
)  # fmt: skip
"""Variables of the environment that say which stack is meant; another one may hold anything, whatever its name."""
_WORD = regex(r"[A-Za-z_][A-Za-z0-9_]*")
_TRUE = {"1", "true", "yes", "on", "t", "y"}


class Selection(Struct, frozen=True, kw_only=True):
    """What will be read.

    Args:
        files: Absolute paths, in the order of merging.
        directory: The project directory, absolute.
        variables: What interpolation sees: the environment before the files of variables.
        marked: The same with marks on what comes from the environment; empty where nobody asked for it.
        where: The machine that they are on.
        env_files: The files of variables that were named, absolute.
        typed: The user named the files, and no file of the project did.
        parsed: What files say, as they are read: a stack is read more than once.
    """

    files: tuple[str, ...]
    directory: str
    variables: dict[str, str]
    marked: dict[str, str] = {}
    profiles: tuple[str, ...]
    where: Files = HERE
    typed: bool = False
    env_files: tuple[str, ...] = ()
    parsed: dict[str, ComposeNode] = {}

    def mentions(self, word: str) -> bool:
        """Return whether a word stands in the files that were read."""
        contents = self.where.contents if isinstance(self.where, RememberedFiles) else ()
        return any(word.encode() in each for each in contents)

    @property
    def words(self) -> frozenset[str]:
        """Every word of the files that were read, the names of variables among them."""
        contents = self.where.contents if isinstance(self.where, RememberedFiles) else ()
        return frozenset(word for each in contents for word in _WORD.findall(each.decode("utf-8", "replace")))


def select_files(
    *,
    files: Sequence[str],
    directory: str,
    profiles: Sequence[str],
    env_files: Sequence[str],
    working_directory: str,
    environment: Mapping[str, str],
    where: Files = HERE,
    marks: bool = False,
) -> Selection:
    """Choose the files of a stack as Compose does.

    Args:
        files: What ``-f`` named; empty for COMPOSE_FILE, or the search upwards from the project directory.
        directory: What ``--project-directory`` named; empty for the directory of the first file.
        profiles: What ``--profile`` named; empty for COMPOSE_PROFILES.
        env_files: What ``--env-file`` named; empty for COMPOSE_ENV_FILES, or ``.env``.
        marks: Also tell which part of the variables is of the environment.

    Raises:
        UsageError: A file is missing or cannot be read, or there is no compose file; then it says where it looked.
    """
    here = _here(working_directory, environment) if where is HERE else _tidy(Path(working_directory))
    where = RememberedFiles(where)
    named = list(env_files) or [name for name in environment.get("COMPOSE_ENV_FILES", "").split(",") if name]
    start = _tidy(here / directory)
    variables = dict(environment)
    told = {name: value if name in STACK_VARIABLES else marked(value) for name, value in environment.items()}
    seen = (variables, told) if marks else (variables,)
    typed = [here / name for name in named]
    root = project_root(str(start))
    with nothing_quoted_from_outside(root):
        if typed:
            _add_variables(seen, typed, where, piped=True)
        elif directory or not files:
            _add_variables(seen, _dotenv(start, variables, where), where, root=root)
    paths = [_tidy(here / name) for name in files] or _from_variable(variables, here) or _search(start, where)
    project = start if directory else paths[0].parent
    for path in (project, *paths):
        if not is_text(str(path)):
            raise UsageError(
                f"the path {path} holds bytes that are not UTF-8 text",
                why="Compose and the engine take text only.",
                todo="Rename the directory or the file.",
            )
    if not named and (project != start or (files and not directory)):
        root = project_root(str(project))
        with nothing_quoted_from_outside(root):
            _add_variables(seen, _dotenv(project, variables, where), where, root=root)
    chosen = profiles or [name.strip() for name in variables.get("COMPOSE_PROFILES", "").split(",")]
    return Selection(
        files=tuple(_absolute(path, where) for path in paths),
        directory=str(project),
        variables=variables,
        marked=told if marks else {},
        profiles=tuple(name for name in chosen if name),
        where=where,
        env_files=tuple(map(str, typed)),
        typed=bool(files) or "COMPOSE_FILE" in environment,
    )


def add_included(
    variables: dict[str, str], directory: str, env_files: Sequence[str], where: Files, *, marks_outside: str = ""
) -> None:
    """Set what files of variables set for included files: those named, else the ``.env`` of their directory.

    What ``variables`` sets already stays. COMPOSE_DISABLE_ENV_FILE means nothing for this ``.env``.

    Args:
        marks_outside: What files outside of this directory set is given marks; empty for no marks.

    Raises:
        UsageError: A file is missing, cannot be read, or has a wrong line.
    """
    paths = [Path(name) for name in env_files if name != "/dev/null"]
    if not env_files:
        paths = _dotenv(Path(directory), {}, where)
    # The last of those that are filled is the one with marks.
    seen = ({**variables}, variables) if marks_outside else (variables,)
    _add_variables(seen, paths, where, root=marks_outside)


def read_text(
    path: str,
    *,
    what: str = "the file",
    kind: FileKind = COMPOSE_FILE,
    place: Place | None = None,
    where: Files = HERE,
    piped: bool = False,
) -> str:
    """Return the text of a file.

    Args:
        piped: The user typed the path, and may mean a pipe.

    Raises:
        UsageError: It is missing, cannot be read, or is no UTF-8 text.
    """
    shown = str(place) if place is not None else ""
    try:
        content = where.read(path, kind, piped=piped)
    except FileNotFoundError:
        raise UsageError(f"{what} {path} does not exist", todo="Create it, or correct its name.", place=shown) from None
    except UnfitFileError as error:
        todo = "See what it is:\n  file " + visible_in_line(shlex.quote(path))
        raise UsageError(f"{what} {path} cannot be read", why=f"{error.strerror}.", todo=todo, place=shown) from None
    except OSError as error:
        raise UsageError(f"{what} {path} cannot be read", why=f"{error.strerror}.", place=shown) from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(
            f"{what} is not UTF-8 text",
            why=f"The byte 0x{content[error.start]:02x} in line {line} is none.",
            todo="Save it as UTF-8.",
            place=f"{path}:{line}",
        ) from None
    # Line ends of other systems mean nothing but in the values of variables.
    return text if kind is VARIABLES else text.replace("\r\n", "\n").replace("\r", "\n")


def kind_of(path: str, where: Files) -> str:
    """Return what is at a path: ``file``, ``directory``, ``other``, or an empty text when there is nothing.

    Raises:
        UsageError: It may not be looked at.
    """
    try:
        return where.kind(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be looked at", why=f"{error.strerror}.") from None


def is_text(text: str) -> bool:
    """Return whether a text can be written as UTF-8: names and variables of the outside may hold other bytes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def project_name_from(written: str) -> str:
    """Return the project name that Compose makes of a name; empty when nothing of it may stand in one."""
    return re.sub(r"[^-_a-z0-9]", "", written.lower()).lstrip("_-")


def _absolute(path: Path, where: Files) -> str:
    if path.name == "-":
        raise UsageError(
            "a compose file cannot be read from standard input",
            why="It is read again by every later command, and named in messages.",
            todo="Save it, and name it with -f FILE.",
        )
    kind = kind_of(str(path), where)
    if kind == "directory":
        raise UsageError(f"the compose file {path} is a directory", todo="Name a file with -f FILE.")
    if not kind:
        raise UsageError(f"the compose file {path} does not exist", todo="Name another with -f FILE.")
    return str(path)


def _here(working_directory: str, environment: Mapping[str, str]) -> Path:
    """Return the working directory by the name that the shell has for it; the project's name comes from it.

    Source: os.Getwd of Go, by which Compose v2 knows where it is, prefers PWD when it is the same directory.
    """
    shell = environment.get("PWD", "")
    if shell.startswith("/") and Path(shell).is_dir() and Path(shell).samefile(working_directory):
        return _tidy(Path(shell))
    return _tidy(Path(working_directory))


def _tidy(path: Path) -> Path:
    """Return an absolute path without ``.`` and ``..``; links in it stay as they are."""
    return Path(tidy(str(path)))


def _dotenv(directory: Path, variables: Mapping[str, str], where: Files) -> list[Path]:
    if variables.get("COMPOSE_DISABLE_ENV_FILE", "").lower() in _TRUE:
        return []
    path = directory / ".env"
    return [path] if kind_of(str(path), where) == "file" else []


def _add_variables(
    seen: Sequence[dict[str, str]], paths: Sequence[Path], where: Files, *, root: str = "", piped: bool = False
) -> None:
    """Set what files set and ``seen`` does not yet; each file is read once, because it may be a pipe.

    Args:
        seen: Variables, and the same with marks where those are asked for.
        root: The directory of the project: what files outside of it set is given marks; empty where the user named
            the files.
    """
    what, kind = "the file of variables", VARIABLES
    texts = [(str(path), read_text(str(path), what=what, kind=kind, where=where, piped=piped)) for path in paths]
    for variables, has_marks in zip(seen, (False, True), strict=False):
        found: dict[str, str] = {}
        for path, text in texts:
            set_here = read_dotenv(text, path, variables, earlier=found)
            if has_marks and not is_shown(path, root):
                set_here = {name: marked(unmarked(value)) for name, value in set_here.items()}
            found.update(set_here)
        for name, value in found.items():
            variables.setdefault(name, value)


def _from_variable(variables: Mapping[str, str], here: Path) -> list[Path]:
    separator = variables.get("COMPOSE_PATH_SEPARATOR") or ":"
    return [_tidy(here / name) for name in variables.get("COMPOSE_FILE", "").split(separator) if name]


def _search(start: Path, where: Files) -> list[Path]:
    for directory in (start, *start.parents):
        found = next((directory / name for name in FILE_NAMES if kind_of(str(directory / name), where)), None)
        if found is not None:
            overrides = (directory / name for name in OVERRIDE_NAMES)
            override = next((each for each in overrides if kind_of(str(each), where) == "file"), None)
            return [found] if override is None else [found, override]
    raise UsageError(
        "there is no compose file",
        why=f"Looked for {', '.join(FILE_NAMES)} in {start} and every directory above it.",
        todo="Go to the directory of the compose file, or name the file with -f FILE.",
    )
