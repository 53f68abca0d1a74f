"""What a stranger's files can make this program read: nothing but files, of a bounded size, and what lies in them."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.unit.cli.simulated_ports import make_world
from tests.unit.cli.test_forecast import LocalLookups

from tonnage.adapters.context.descent import Descent
from tonnage.errors import UsageError
from tonnage.runtime.load_stack import StackRequest, load_stack
from tonnage.small_files import (
    DOCKERFILE,
    VARIABLES,
    FileKind,
    UnfitFileError,
    open_in,
    read_bytes,
    read_bytes_in,
)
from tonnage.sources.compose.files import FilesWithin
from tonnage.sources.compose.keys import COMPOSE_FILE
from tonnage.sources.compose.shapes import Distinct, Either, Fields, Listed, Mounted, Named, Pairs
from tonnage.sources.compose.x_tonnage import SERVICE as X_TONNAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECRET = "s3cr3t-of-this-machine"
TINY = FileKind("a tiny file", 11)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A file that no project may lead to."""
    file = tmp_path / "outside" / "secret"
    file.parent.mkdir()
    file.write_text(f"{SECRET}:x:0:0\n")
    return file


@pytest.fixture
def context(tmp_path: Path) -> Path:
    directory = tmp_path / "project" / "web"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/dev/zero", "It is a device"),
        ("/dev/tty", "It is a device"),
        ("/proc/self/environ", "the kernel generates"),
        ("/proc/self/root/proc/self/environ", "the kernel generates"),
        ("/sys/kernel/notes", "the kernel generates"),
        ("/sys/kernel/uevent_seqnum", "the kernel generates"),
        ("\0", "No file can have such a name"),
        ("\ud800", "No file can have such a name"),
    ],
)
def test_what_is_no_file_of_a_disk_is_not_read(path: str, why: str) -> None:
    if path.startswith("/") and not os.path.lexists(path):
        pytest.skip("not on this machine")
    with pytest.raises(UnfitFileError) as refused:
        read_bytes(path, DOCKERFILE)
    assert why in str(refused.value.strerror)


def test_a_pipe_and_a_socket_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        here = os.open(tmp_path, os.O_RDONLY)
        try:
            server.bind(f"/proc/self/fd/{here}/socket")
        finally:
            os.close(here)
        for name in ("pipe", "socket"):
            with pytest.raises(UnfitFileError, match=f"It is a {name}"):
                read_bytes(tmp_path / name, DOCKERFILE, piped=True)


def test_a_file_may_have_as_many_bytes_as_its_kind_and_not_one_more(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"a" * TINY.most_bytes)
    assert read_bytes(file, TINY) == b"a" * 11
    file.write_bytes(b"a" * 12)
    with pytest.raises(UnfitFileError, match="It is larger than the 11 B that a tiny file may have"):
        read_bytes(file, TINY)


def test_a_pipe_that_the_user_gave_is_read_only_where_the_user_names_it() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"A=1\n")
    os.close(writing)
    try:
        with pytest.raises(UnfitFileError, match="It is a pipe"):
            read_bytes(f"/dev/fd/{reading}", VARIABLES)
        assert read_bytes(f"/dev/fd/{reading}", VARIABLES, piped=True) == b"A=1\n"
    finally:
        os.close(reading)


@pytest.mark.parametrize("target", ["../../outside/secret", "{outside}", "dir/../../../../outside/secret", "up/secret"])
def test_a_link_in_a_context_does_not_lead_out_of_it(context: Path, outside: Path, target: str) -> None:
    (context / "dir").mkdir()
    (context / "up").symlink_to(outside.parent)
    (context / "link").symlink_to(target.format(outside=outside))
    for read in (lambda: read_bytes_in(str(context), "link", DOCKERFILE), lambda: open_in(str(context), "link")):
        with pytest.raises(FileNotFoundError):
            read()
    with pytest.raises(FileNotFoundError):
        Descent(str(context)).open_directory("up")
    # As for a builder, the context is all that there is.
    there = context / str(outside.parent).lstrip("/")
    there.mkdir(parents=True)
    (there / "secret").write_text("of the context")
    (context / "outside").symlink_to(outside.parent)
    assert read_bytes_in(str(context), "link", DOCKERFILE) == b"of the context"


def test_links_in_a_circle_end_and_a_context_below_a_link_is_fine(context: Path, tmp_path: Path) -> None:
    (context / "a").symlink_to("b")
    (context / "b").symlink_to("a")
    (context / "file").write_text("text")
    (tmp_path / "here").symlink_to(context)
    with pytest.raises(OSError, match="Too many levels"):
        read_bytes_in(str(context), "a", DOCKERFILE)
    assert read_bytes_in(str(tmp_path / "here"), "/file", DOCKERFILE) == b"text"
    with pytest.raises(NotADirectoryError):
        read_bytes_in(str(context), "file/..", DOCKERFILE)


def test_files_one_after_the_other_are_those_that_a_builder_sees(outside: Path, context: Path) -> None:
    deep = "/".join("d" * 40)
    (context / deep).mkdir(parents=True)
    for level in range(0, 40, 7):
        (context / deep[: 2 * level + 1] / f"f{level}").write_text(str(level))
    (context / "d/elsewhere").symlink_to(outside.parent)
    (context / "d/link").symlink_to(outside)
    (context / "d/within").symlink_to("/d")
    with Descent(str(context)) as way:
        for level in (0, 35, 7, 28, 28, 14, 0, 21):
            assert way.read_bytes(f"{deep[: 2 * level + 1]}/f{level}", DOCKERFILE) == str(level).encode()
        assert way.read_bytes("d/within/within/f0", DOCKERFILE) == b"0"
        for path in (f"d/elsewhere/{outside.name}", "d/link", f"d/../../{outside.name}", "d/none", "d/f0/f0"):
            with pytest.raises((FileNotFoundError, NotADirectoryError)):
                way.read_bytes(path, DOCKERFILE)
        assert way.read_bytes("d/./f0", DOCKERFILE) == b"0"


def test_of_many_files_none_is_read_that_is_no_plain_file_or_too_large(context: Path, outside: Path) -> None:
    os.mkfifo(context / "pipe")
    (context / "link").symlink_to(outside)
    (context / "large").write_bytes(bytes(DOCKERFILE.most_bytes + 1))
    (context / "whole").write_bytes(bytes(DOCKERFILE.most_bytes))
    (context / "empty").touch()
    with Descent(str(context)) as way:
        for path in ("pipe", "large"):
            with pytest.raises(UnfitFileError):
                way.read_bytes(path, DOCKERFILE)
        with pytest.raises(FileNotFoundError):
            way.read_bytes("link", DOCKERFILE)
        assert way.read_bytes("whole", DOCKERFILE) == bytes(DOCKERFILE.most_bytes)
        assert way.read_bytes("empty", DOCKERFILE) == b""
    for root, path in (("/proc", "self/status"), ("/", "proc/self/status"), ("/sys", "kernel/profiling")):
        with Descent(root) as way, pytest.raises(OSError, match=r"kernel|No such file"):
            way.read_bytes(path, DOCKERFILE)


def test_a_directory_that_becomes_a_link_meanwhile_shows_nothing_of_what_is_outside(
    context: Path, outside: Path
) -> None:
    (context / "dir").mkdir()
    (context / "dir" / "secret").write_text("of the context")
    (context / "link").symlink_to(outside.parent)
    over = threading.Event()

    def swap() -> None:
        while not over.is_set():
            (context / "dir").rename(context / "away")
            (context / "link").rename(context / "dir")
            (context / "dir").rename(context / "link")
            (context / "away").rename(context / "dir")

    swapping = threading.Thread(target=swap)
    swapping.start()
    seen: set[bytes] = set()
    within: set[bytes] = set()
    try:
        for _ in range(3000):
            with contextlib.suppress(OSError):
                seen.add(read_bytes_in(str(context), "dir/secret", DOCKERFILE))
            with contextlib.suppress(OSError):
                within.add(FilesWithin(str(context)).read(str(context / "dir/secret"), DOCKERFILE))
    finally:
        over.set()
        swapping.join()
    assert seen == within == {b"of the context"}


def test_files_within_a_directory_are_read_and_no_others(context: Path, outside: Path) -> None:
    files = FilesWithin(str(context.parent))
    (context / ".env").write_text("A=1\n")
    (context.parent / "inner").symlink_to(context / ".env")
    (context / "outer").symlink_to(outside)
    (context / "up").symlink_to(outside.parent)
    assert files.read(str(context.parent / "inner"), VARIABLES) == b"A=1\n"
    assert files.kind(str(context.parent / "inner")) == "file"
    for path in (
        str(outside),
        str(context / "outer"),
        str(context / "up" / "secret"),
        f"{context}/../../outside/secret",
    ):
        with pytest.raises(UnfitFileError, match="It is outside"):
            files.read(path, VARIABLES)
    assert files.kind(str(outside)) == files.kind(str(outside.parent)) == ""
    # What leads out is there, so that whoever reads it is told why not.
    assert files.kind(str(context / "outer")) == files.kind(str(context / "up")) == "file"
    assert files.kind(str(context / "none")) == ""
    assert files.kind(str(context)) == "directory"


@pytest.fixture
def forecast(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Forecast a project of one service; return the exit code, and everything that was printed."""
    project = tmp_path / "project"
    (project / ".git").mkdir(parents=True)
    world = make_world(project, compose="name: shop\nservices:\n  web:\n    build: ./web\n")
    world.ports.looks_up = lambda _facts, offline: LocalLookups({}, tmp_path / "cache", offline=offline)

    def run(**files: str) -> tuple[int, str]:
        for name, text in files.items():
            (project / {"compose": "compose.yaml"}.get(name, f"web/{name}")).write_text(text)
        code = world.run("forecast", "--offline")
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


FROM = "FROM python:3.11-slim\nCOPY . /\n"


@pytest.mark.parametrize(
    "links",
    [
        ("Dockerfile",),
        ("requirements.txt",),
        (".dockerignore",),
        ("Dockerfile.dockerignore",),
        ("pyproject.toml",),
        ("uv.lock", "pyproject.toml"),
    ],
)
def test_nothing_of_a_file_that_a_link_of_a_context_leads_to_outside_is_shown(
    forecast: Callable[..., tuple[int, str]], outside: Path, context: Path, links: tuple[str, ...]
) -> None:
    (context / "Dockerfile").write_text(
        f"{FROM}RUN pip install -r /requirements.txt\nRUN pip install .\nRUN uv sync --frozen\n"
    )
    for name in links:
        (context / name).unlink(missing_ok=True)
        (context / name).symlink_to(outside)
    _, said = forecast()
    assert SECRET.casefold() not in said.casefold()


CONTENTS = (
    f"{SECRET}:x:0:0\n",
    f"machine example.org login me password {SECRET}\n",
    f"{SECRET}: 1\n",
    f"services: {{{SECRET}: {{image: 'a b'}}}}\n",
    f"services: {{web: {{image: '{SECRET} x'}}}}\n",
    f"services: {{web: {{{SECRET}: 1}}}}\n",
    f"a: '{SECRET}\n",
    f"A=${{{SECRET}\n",
    f'A="{SECRET}\n',
    f'{{"auths": {{"example.org": {{"auth": "{SECRET}"}}}}}}\n',
)


@pytest.mark.parametrize(
    "compose",
    [
        "services:\n  web: {{build: {{context: ./web, dockerfile: {outside}}}}}\n",
        "services:\n  web: {{image: busybox, env_file: {outside}}}\n",
        "services:\n  web: {{image: busybox, label_file: {outside}}}\n",
        "include: [{outside}]\nservices:\n  web: {{image: busybox}}\n",
        "include: [{{path: compose.other.yaml, env_file: {outside}}}]\nservices:\n  web: {{image: busybox}}\n",
        "services:\n  web: {{extends: {{file: {outside}, service: x}}}}\n",
        "services:\n  web: {{extends: {{file: {outside}, service: web}}}}\n",
    ],
)
def test_nothing_of_a_file_outside_that_compose_reads_is_shown(
    forecast: Callable[..., tuple[int, str]], outside: Path, tmp_path: Path, compose: str
) -> None:
    (tmp_path / "project" / "compose.other.yaml").write_text("services: {other: {image: busybox}}\n")
    for content in CONTENTS:
        outside.write_text(content)
        code, said = forecast(compose=f"name: shop\n{compose.format(outside=outside)}", Dockerfile="FROM busybox\n")
        assert code in {0, 2, 11}, said
        assert SECRET.casefold() not in said.casefold()


def test_a_link_in_a_project_counts_by_where_it_leads_to(
    forecast: Callable[..., tuple[int, str]], outside: Path, tmp_path: Path
) -> None:
    outside.write_text(f"machine example.org login me password {SECRET}\n")
    (tmp_path / "project" / ".env").symlink_to(outside)
    code, said = forecast(Dockerfile="FROM busybox\n")
    assert code == 2
    assert SECRET not in said
    assert f"{tmp_path}/project/.env:1: a line of a file of variables has to be NAME=VALUE" in said
    assert "outside the project" in said


def test_a_wrong_word_of_the_project_is_shown(forecast: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    assert "there is no instruction RUM" in " ".join(forecast(Dockerfile="FROM busybox\nRUM true\n")[1].split())
    (tmp_path / "project" / ".env").write_text("a wrong line\n")
    assert "'a wrong line' sets no variable" in forecast()[1]


def test_stages_that_copy_from_each_other_are_looked_through_and_no_more(
    forecast: Callable[..., tuple[int, str]],
) -> None:
    copies = "".join(f"FROM s{i} AS s{i + 1}\nCOPY --from=s{i} /a /\nCOPY --from=s{i} /b /\n" for i in range(30))
    code, said = forecast(Dockerfile=f"FROM python:3.11-slim AS s0\n{copies}RUN pip install -r /requirements.txt\n")
    assert code in {0, 2}
    assert "unexpected" not in said


class ComposeThatQuotes:
    """Compose where it refuses the files, with the words of one of them."""

    version = "2.40.3"

    def config(self, request: StackRequest) -> str:
        assert request.working_directory
        raise UsageError("Compose refuses the stack's files", why=f'unexpected "+" near "{SECRET}"')

    config_in_yaml = config


def test_the_reason_of_compose_is_shown_for_files_of_the_project_alone(context: Path, outside: Path) -> None:
    file = context.parent / "compose.yaml"
    for path, shown in (("web/.env", True), (str(outside), False)):
        file.write_text(f"services: {{web: {{image: busybox, env_file: '{path}'}}}}\n")
        (context / ".env").write_text("A=1\n")
        outside.write_text("A=1\n")
        with pytest.raises(UsageError) as refused:
            load_stack(StackRequest(working_directory=str(context.parent)), environment={}, compose=ComposeThatQuotes())
        assert (SECRET in str(refused.value)) == shown


CHILD = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (700_000_000, 700_000_000))
resource.setrlimit(resource.RLIMIT_CPU, (25, 25))
from tonnage.errors import CannotResolveError, UsageError
size = int(sys.argv[2])
{prepare}
try:
    {act}
except (UsageError, CannotResolveError, ValueError):
    pass
"""
LINEAR = {
    "substitute-nested": (
        "from tonnage.sources.compose.variables import substitute",
        "substitute('${A:-' * (size // 5) + '}' * (size // 5), {}, None, lambda *_: None)",
    ),
    "dotenv-lines": (
        "from tonnage.sources.compose.variables import read_dotenv",
        "read_dotenv(''.join(f'A{i}=$A{i - 1}x\\n' for i in range(size // 20)), 'f', {})",
    ),
    "dotenv-doubling": (
        "from tonnage.sources.compose.variables import read_dotenv",
        "read_dotenv('A0=aaaaaaaaa\\n' + ''.join(f'A{i}=' + f'$A{i - 1}' * 9 + '\\n' for i in range(1, 99)), '', {})",
    ),
    "dockerfile-word": (
        "from tonnage.sources.dockerfile.parser import read_dockerfile",
        "read_dockerfile('FROM a\\nENV A=' + 'a' * size + '\\nRUN ' + '--x ' * (size // 4))",
    ),
    "dockerfile-escapes": (
        "from tonnage.sources.dockerfile.parser import read_dockerfile",
        "read_dockerfile('FROM a\\nENV B=' + '\\\\\\\\a' * (size // 3))",
    ),
    "dockerfile-json": (
        "from tonnage.sources.dockerfile.parser import read_dockerfile",
        "read_dockerfile('FROM a\\nRUN ' + '[' * size)",
    ),
    "lexer-nested": (
        "from tonnage.sources.substitution import Lexer",
        "Lexer().words('${A:-' * (size // 5) + 'a' * size, {})",
    ),
    "lexer-trim": (
        "from tonnage.sources.substitution import Lexer",
        "Lexer().expand('${A%' + '*a' * 999 + 'b}', {'A': 'a' * 99_999})",
    ),
    "requirement-blanks": (
        "from tonnage.forecast.requirements.files import read_requirements",
        "read_requirements('/r', lambda _: ('a' + ' ' * 90_000 + '!\\n') * (size // 90_000 + 1))",
    ),
    "requirement-brackets": (
        "from tonnage.forecast.requirements.files import read_requirements",
        "read_requirements('/r', lambda _: './' + '[' * 90_000)",
    ),
    "ignored": (
        "from tonnage.adapters.context.entries import IgnoreRules",
        "IgnoreRules(('**/' * 30 + 'x\\n') * (size // 92)).hit('/'.join(['a' * 99] * 40))",
    ),
    "ignored-stars": (
        "from tonnage.adapters.context.entries import IgnoreRules",
        "IgnoreRules('*a' * (size // 2) + 'b\\n' + '*a' * 99 + 'b\\n' + '[' * size).hit('a' * 255)",
    ),
    "copied": (
        "from tonnage.sources.dockerfile.patterns import name_pattern",
        "name_pattern('*a' * 99 + 'b').fullmatch('a' * 255)",
    ),
    "toml-key": (
        "from tonnage.forecast.python.toml_text import read_toml",
        "read_toml('a' + '.a' * (size // 2) + ' = 1', 'a file')",
    ),
    "toml-nested": (
        "from tonnage.forecast.python.toml_text import read_toml",
        "read_toml('a = ' + '[' * size, 'a file')",
    ),
    "yaml-nested": (
        "from tonnage.sources.compose.yaml_text import read_yaml",
        "read_yaml('a: ' + '[' * size, 'f')",
    ),
    "shell-nested": (
        "from tonnage.forecast.shell.script import read_script",
        "[read_script(one * (size // 9), {}) for one in ('( ', '$(', '${A:-', 'a && ', 'a | ', 'if x; then ', 'a=(')]",
    ),
    "shell-loops": (
        "from tonnage.forecast.shell.script import read_script",
        "read_script('for i in 1 2 3 4 5 6 7 8 9; do ' * 12 + 'x' + '; done' * 12, {})",
    ),
    "stages": (
        "from tonnage.sources.dockerfile.parser import read_dockerfile",
        "read_dockerfile(''.join(f'FROM s{i} AS s{i + 1}\\n' for i in range(size // 14)))",
    ),
    "variables": (
        """from tonnage.sources.dockerfile.parser import read_dockerfile
from tonnage.sources.dockerfile.recipe import recipe""",
        "recipe(read_dockerfile('FROM a\\n' + ''.join(f'ENV A{i}=x\\n' for i in range(4_900))))",
    ),
    "archive": (
        """import io, tarfile, zlib
import contextlib
from tonnage.adapters.context.archives import UnlistedError, list_archive
head = tarfile.TarInfo('a')
head.type, head.size = tarfile.XHDTYPE, 2_000_000_000
work = zlib.compressobj(1, wbits=31)
begin = work.compress(head.tobuf(tarfile.USTAR_FORMAT))
packed = begin + b''.join(work.compress(bytes(1_000_000)) for _ in range(400)) + work.flush()
def list_unless_refused():
    with contextlib.suppress(UnlistedError):
        list_archive(io.BytesIO(packed), lambda *_: None)""",
        "list_unless_refused()",
    ),
    "endless": (
        "from tonnage.small_files import read_bytes, DOCKERFILE",
        "read_bytes('/dev/zero', DOCKERFILE)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LINEAR)
def test_texts_made_to_take_long_take_bounded_time_and_memory(name: str, tmp_path: Path) -> None:
    prepare, act = LINEAR[name]
    child = tmp_path / "child.py"
    child.write_text(CHILD.format(prepare=prepare, act=act))
    done = subprocess.run([sys.executable, str(child), name, "250000"], check=False, capture_output=True, text=True)
    # The endless one fails with what is no UsageError.
    assert done.returncode == 0 or (name == "endless" and "It is a device" in done.stderr), done.stderr[-500:]


NASTY = (
    "~", "", "1__2", "0b", "0x", "08", "7e99999", "12e4567", ".inf", "-.inf", ".nan", "2001-01-01", "190:20:30.15",
    "9" * 5000, f"'{'9' * 5000}'", "0x" + "f" * 5000, "'nan'", f"'{'1' * 5000}s'", f"'{'9' * 400}g'", "'\u0661'",
    "-1", '"\\0"', '"\\ud800"', "[]", "{}", "[null]", "[[]]", "[{}]", "{a: null}", "!reset null", "[!reset a]",
    "'${X}'",
)  # fmt: skip


def positions(shape: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield every place of a file that has a shape, as keys; 0 is an entry of a list."""
    yield path
    match shape:
        case Fields():
            for key, each in shape.keys.items():
                yield from positions(each, (*path, key))
        case Listed() | Distinct():
            yield from positions(shape.each, (*path, 0))
        case Named() | Pairs():
            yield from positions(shape.each, (*path, "n"))
        case Either():
            yield from positions(shape.mapping, path)
        case Mounted():
            yield from positions(shape.fields, path)


NEEDED = {
    "ports": "target: 80", "volumes": "type: bind, target: /a", "env_file": "path: e", "configs": "source: c",
    "secrets": "source: s", "devices": "source: /d", "extends": "service: w", "include": "path: i.yaml",
}  # fmt: skip
PLACES = sorted(
    {*positions(COMPOSE_FILE), *(("services", "n", "x-tonnage", *path) for path in positions(X_TONNAGE))}, key=str
)


def written(path: tuple[str | int, ...], value: str) -> str:
    """Return a compose file with a value at a place."""
    text = value
    for at in range(len(path) - 1, -1, -1):
        key = path[at]
        if key == 0:
            text = f"[{text}]"
            continue
        inside = path[at - 2] if at > 1 and path[at - 1] == 0 else ""
        beside = [] if str(key) in NEEDED.get(str(inside), "") else [NEEDED.get(str(inside), "")]
        beside += ["image: busybox"] * (path[:at] == ("services", "n") and key != "image")
        beside += ["services: {w: {image: busybox}}"] * (at == 0 and key != "services")
        text = f"{{{', '.join([f'{key}: {text}', *filter(None, beside)])}}}"
    return text


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(PLACES), st.sampled_from(NASTY))
@example(("include", 0), "null")
@example(("services", "n", "environment", "n"), "12e4567")
@example(("services", "n", "links", 0), "~")
@example(("services", "n", "build"), "'${X}'")
@example(("services", "n", "configs", 0), "~")
def test_any_value_at_any_key_is_read_or_refused(path: tuple[str | int, ...], value: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "compose.yaml").write_text(f"{written(path, value)}\n", encoding="utf-8")
        with contextlib.suppress(UsageError):
            load_stack(StackRequest(working_directory=directory), environment={}, compose=None)
