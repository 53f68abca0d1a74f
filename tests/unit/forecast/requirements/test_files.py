from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tonnage.errors import CannotFetchError, UsageError
from tonnage.forecast.requirements.files import read_requirements
from tonnage.model.forecast.requirements import RequirementKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.model.forecast.requirements import Requirements

FILE = "/app/requirements.txt"


def reading(text: str, others: Mapping[str, str] | None = None, **environment: str) -> Requirements:
    files = {FILE: text, **(others or {})}
    return read_requirements(FILE, files.get, environment=environment)


def failing(text: str, others: Mapping[str, str] | None = None) -> UsageError:
    with pytest.raises(UsageError) as caught:
        reading(text, others)
    return caught.value


@pytest.mark.parametrize(
    ("line", "name", "extras", "specifier", "marker"),
    [
        ("numpy", "numpy", (), "", ""),
        ("Foo_Bar.baz == 1.0  # why", "foo-bar-baz", (), "==1.0", ""),
        ("a[x, Y_z]>=1,<2 ; python_version < '3.9'", "a", ("x", "y-z"), ">=1,<2", "python_version < '3.9'"),
        ("a (>=1)", "a", (), ">=1", ""),
        ("a~=1.4.2;sys_platform=='linux'", "a", (), "~=1.4.2", "sys_platform=='linux'"),
        ("a===1.0+local", "a", (), "===1.0+local", ""),
        ("a!=1.*", "a", (), "!=1.*", ""),
    ],
)
def test_a_name_is_read_with_all_that_stands_behind_it(
    line: str, name: str, extras: tuple[str, ...], specifier: str, marker: str
) -> None:
    (found,) = reading(f"{line}\n").requirements
    assert (found.name, found.extras, found.specifier, found.marker) == (name, extras, specifier, marker)
    assert found.kind is RequirementKind.NAMED


@pytest.mark.parametrize(
    ("line", "kind", "name", "location"),
    [
        ("./pkg", RequirementKind.PATH, "", "/app/pkg"),
        (".[dev]", RequirementKind.PATH, "", "/app"),
        ("-e ../lib", RequirementKind.PATH, "", "/lib"),
        ("d/my_tool-1-py3-none-any.whl", RequirementKind.PATH, "my-tool", "/app/d/my_tool-1-py3-none-any.whl"),
        ("file:///srv/x", RequirementKind.PATH, "", "/srv/x"),
        ("git+https://example.org/x@v1#egg=Xx", RequirementKind.REPOSITORY, "xx", "git+https://example.org/x@v1#egg=Xx"),
        ("https://example.org/a_b-1-py3-none-any.whl", RequirementKind.ADDRESS, "a-b", "https://example.org/a_b-1-py3-none-any.whl"),
        ("A @ https://example.org/a.zip ; python_version>'3'", RequirementKind.ADDRESS, "a", "https://example.org/a.zip"),
        ("b@file:../b", RequirementKind.PATH, "b", "/b"),
    ],
)  # fmt: skip
def test_paths_and_addresses_are_told_apart(line: str, kind: RequirementKind, name: str, location: str) -> None:
    (found,) = reading(f"{line}\n").requirements
    assert (found.kind, found.name, found.location) == (kind, name, location)
    assert found.editable is line.startswith("-e")


def test_hashes_may_stand_on_continued_lines() -> None:
    text = "a==1 \\\n  --hash=sha256:aa \\\n    --hash=sha256:bb  # a note\n\nb @ https://example.org/b.whl#sha256=CC\n"
    assert [(each.hashes, each.place.line) for each in reading(text).requirements] == [
        (("sha256:aa", "sha256:bb"), 1),
        (("sha256:cc",), 5),
    ]


def test_options_count_for_the_whole_file() -> None:
    text = (
        "-i https://i.example.org\n--extra-index-url=https://e.example.org\n--find-links wheels --no-binary a,b\n"
        "--only-binary :all:\n--no-binary=:none:\n--no-binary c\n--pre\n"
        "--require-hashes\n--trusted-host h\n--prefer-binary\n"
    )
    options = reading(text).options
    assert options.index_url == "https://i.example.org"
    assert options.extra_index_urls == ("https://e.example.org",)
    assert (options.find_links, options.no_binary, options.only_binary) == (("wheels",), ("c",), (":all:",))
    assert (options.pre, options.require_hashes, options.trusted_hosts) == (True, True, ("h",))


def test_variables_are_put_in_where_they_have_a_value() -> None:
    read = reading("--index-url https://${USER}:${TOKEN}@example.org\na==${V}\n", USER="me", V="1")
    assert read.options.index_url == "https://me:${TOKEN}@example.org"
    assert read.requirements[0].specifier == "==1"


def test_files_include_files_from_where_they_lie() -> None:
    read = reading(
        "a\n-r sub/more.txt\n-c limits.txt\nb\n",
        {
            "/app/sub/more.txt": "c\n-r ../last.txt\n",
            "/app/last.txt": "d\n",
            "/app/limits.txt": "a<2\n-r sub/more.txt\n",
        },
    )
    assert [each.name for each in read.requirements] == ["a", "c", "d", "b"]
    assert [each.name for each in read.constraints] == ["a", "c", "d"]
    assert read.files == (FILE, "/app/sub/more.txt", "/app/last.txt", "/app/limits.txt")
    assert str(read.requirements[2].place) == "/app/last.txt:1"


def test_local_paths_count_from_where_the_installer_runs() -> None:
    read = read_requirements("/app/req/r.txt", {"/app/req/r.txt": "-e ./x\n"}.get, directory="/app")
    assert read.requirements[0].location == "/app/x"


def test_a_file_that_includes_itself_is_refused_with_the_way() -> None:
    error = failing("a\n-r b.txt\n", {"/app/b.txt": "\n-c requirements.txt\n"})
    assert error.place == "/app/b.txt:2"
    assert error.why == "/app/requirements.txt -> /app/b.txt -> /app/requirements.txt."


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("-r gone.txt\n", "the requirement file /app/gone.txt is not there"),
        ("a\n==1\n", "==1 is not a requirement"),
        ("a b\n", "a b is not a requirement"),
        ("-r\n", "-r lacks its value"),
        ("--find-links 'x\n", "--find-links 'x cannot be read"),
    ],
)
def test_what_cannot_be_read_is_refused(text: str, what: str) -> None:
    error = failing(text)
    assert error.what == what
    assert error.place.startswith(FILE)


def test_an_index_on_the_line_of_a_requirement_is_found() -> None:
    read = reading("x\ntorch==2.3.1 --index-url https://example.org/cpu --hash=sha256:aa\n")
    (finding,) = read.findings
    assert finding.rule == "index-on-requirement"
    assert str(finding.place) == f"{FILE}:2"
    assert "pip ignores --index-url on the line of torch==2.3.1" in finding.text
    assert "\n  --index-url https://example.org/cpu\n  torch==2.3.1" in finding.todo
    assert read.options.index_url == ""
    assert read.requirements[1].hashes == ("sha256:aa",)


def test_an_option_that_such_files_lack_is_found() -> None:
    assert [each.rule for each in reading("--no-cache-dir\na\n").findings] == ["unknown-requirement-option"]


def test_files_that_include_each_other_twice_are_read_once() -> None:
    files = {f"/{n}.txt": f"-r {n + 1}.txt\n-r {n + 1}.txt\na{n}\n" for n in range(60)} | {"/60.txt": "last\n"}
    found = read_requirements("/0.txt", files.get)
    assert [each.name for each in found.requirements] == ["last", *(f"a{n}" for n in reversed(range(60)))]


def test_a_long_way_of_files_is_refused() -> None:
    files = {f"/{n}.txt": f"-r {n + 1}.txt\n" for n in range(3000)}
    with pytest.raises(UsageError, match="is included through 101 files"):
        read_requirements("/0.txt", files.get)


def test_two_hundred_thousand_lines_of_one_requirement_are_one() -> None:
    assert [each.name for each in reading("a==1\n" * 200_000).requirements] == ["a"]


def test_more_requirements_than_people_write_are_not_looked_up() -> None:
    lines = "".join(f"a{number}==1\n" for number in range(200_000))
    with pytest.raises(CannotFetchError, match="more than 10,000 requirements"):
        reading(lines)
