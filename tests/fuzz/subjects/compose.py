"""What a stack is read from, and what is written for it."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from tests.ci.stacks import STACKS
from tests.compose.cases import NEWER, cases, recorded
from tests.fuzz.subject import Subject, as_bytes, whole_text

from tonnage.decide.reports.runner_stack import runner_services
from tonnage.errors import TonnageError
from tonnage.model.reports.ci_job import RunnerStack
from tonnage.model.stack import Place
from tonnage.runtime.load_stack import StackRequest, load_stack
from tonnage.runtime.settings import policy, rank
from tonnage.sources.compose.nodes import plain
from tonnage.sources.compose.variables import read_dotenv, substitute
from tonnage.sources.compose.x_tonnage import read_manifest
from tonnage.sources.compose.yaml_text import read_yaml
from tonnage.views.ci.workflows import workflows

if TYPE_CHECKING:
    from tonnage.small_files import FileKind

ROOT = Path(__file__).resolve().parents[3]
CASES = ROOT / "tests" / "unit" / "sources" / "compose" / "cases"
STACKS_READ = tuple(
    path.read_text(encoding="utf-8")
    for path in sorted((*CASES.glob("[!b]*/compose.yaml"), ROOT / "examples/vision/docker-compose.yml"))
)
# One file of each kind of case in the corpus that Compose takes.
RECORDED = {kind: recorded(kind) for kind in ("include", "merging", "scalars", "short", "sizes", "variables", "whole")}
TAKEN = tuple(
    {
        (case.kind, case.name.partition(":")[0]): case.files["compose.yaml"]
        for case in cases()
        if case.kind in RECORDED
        and set(case.files) == {"compose.yaml"}
        and not (case.own or case.environment)
        and "refused" not in RECORDED[case.kind][case.name][NEWER]
    }.values()
)
WORDS = (
    "services:\n", "  build: ", "  image: ", "include:\n", "extends:\n", "env_file: ", "x-tonnage:\n", "profiles: [a]\n",
    "depends_on: [b]\n", "networks:\n", "volumes:\n", "deploy:\n", "<<: *a\n", "&a ", "*a", "!reset ", "!override ",
    "!!binary ", "!!python/object:os.system ", "${A}", "${A:?no}", "${A:-b}", "$$", "null", "~", "true", "[", "]", "{",
    "}", ": ", "- ", "? ", "| \n", ">-\n", "---\n", "...\n", "%YAML 1.1\n", "1__2", "7e99999", "0o8", "2001-01-01",
    "1:2:3", ".inf", "a:b:c", "80-70:80", "5000000-1:80", "/a:/b:ro", "\t", "\x85", "\u2028", "'", '"', "#",
)  # fmt: skip
DOTENV = (
    "A=b\nexport C='d e'\nE=\"f $A ${A:-g}\\n\"\n# x\nF=g # h\nI=\"a\nb\"\nJ='c\nd'\n",
    "A=${B:-no}\nB=\nC\nD=a\\ b\nE.F-G[0]=h\nK=$A$$\n",
)
MANIFEST = (
    json.dumps(
        {"version": 1, "model": "m", "files": [{"file": "a.pt", "bytes": 5, "sha256": "0" * 64, "source": "x"}]}
    ),
)
TEXTS = ("a $A ${B:-c} ${A:?d} $$", "${A:-${B:+${C-d}}}", "${A?b}${A+c}${A}")


class Memory:
    """Files that are in memory: one directory with what is read, and three texts beside it."""

    def __init__(self, compose: str, dotenv: str = "A=b\nTAG=1\nNAME=n\n") -> None:
        self._files = {"/s/compose.yaml": as_bytes(compose), "/s/.env": as_bytes(dotenv)}

    def read(self, path: str, what: FileKind, *, piped: bool = False) -> bytes:
        """Return a file."""
        del what, piped
        # What is included has one service, called as its directory; what is extended has two that are asked for.
        name = path.split("/")[-2:][0]
        services = b"{base: &b {image: b}, python: *b}" if name == "shared" else b"{%s: {image: b}}" % name.encode()
        known = {".env": b"A=1\nB=$A\n", ".yaml": b"services: " + services + b"\n"}
        content = self._files.get(path) or known.get(path[path.rfind(".") :])
        if content is None:
            raise FileNotFoundError(2, "No such file or directory")
        return content

    def kind(self, path: str) -> str:
        """Return what is there."""
        return "file" if path.endswith((".env", ".yaml")) else "directory" if path in {"/", "/s"} else ""


def _stack(text: str) -> None:
    request = StackRequest(working_directory="/s", files=("/s/compose.yaml",))
    stack = load_stack(request, environment={"USER": "u"}, compose=None, builds=False, where=Memory(text))
    for service in stack.services:
        assert service.name
    policy(rank(stack, environment={}, flags={}))


def _workflows(text: str) -> None:
    request = StackRequest(working_directory="/s", files=("/s/compose.yaml",))
    stack = load_stack(request, environment={}, compose=None, builds=False, where=Memory(text))
    runner = RunnerStack(
        name=stack.name, directory=".", flags=(), services=runner_services(stack, {}), install="pipx install x"
    )
    for name, workflow in workflows(runner).items():
        read = read_yaml(workflow, name)
        assert set(read.value) == {"name", "on", "permissions", "concurrency", "env", "jobs"} & set(read.value)
        for line in workflow.split("\n"):
            assert line.isprintable(), line


def _dotenv(text: str) -> None:
    with contextlib.suppress(TonnageError):
        read_dotenv(whole_text(text), "web.env", {"B": "x"}, raw=True)
    found = read_dotenv(whole_text(text), "web.env", {"B": "x"})
    assert all(isinstance(value, str | None) for value in found.values())


def _substituted(text: str) -> None:
    substitute(text, {"A": "b", "B": ""}, Place("compose.yaml", 1), lambda _name, _place: None)


def _manifest(text: str) -> None:
    for each in read_manifest(whole_text(text), "manifest.json"):
        assert each


def _yaml(text: str) -> None:
    read_yaml(whole_text(text), "compose.yaml")


# The same as JSON, which is YAML as well: values are replaced one by one.
DOCUMENTS = tuple(json.dumps(plain(read_yaml(text, "compose.yaml"))) for text in STACKS_READ if "!" not in text)
SUBJECTS = (
    Subject(
        name="compose file as a document",
        read=_stack,
        seeds=DOCUMENTS,
        inputs=150,
        found=('{"services": {"a": {"image": "b", "ports": ["' + "9" * 5_000 + '"]}}}',),
    ),
    Subject(name="compose file", read=_stack, seeds=STACKS_READ, words=WORDS, inputs=150),
    Subject(name="compose file of the corpus", read=_stack, seeds=TAKEN, words=WORDS, inputs=300, long_inputs=950_000),
    Subject(name="compose file as bytes", read=_stack, seeds=STACKS_READ[:5], inputs=60),
    Subject(
        name="YAML",
        read=_yaml,
        seeds=STACKS_READ,
        words=WORDS,
        inputs=120,
        found=("a: " + "{" * 30_000, "a: " + "[b," * 10_000),
    ),
    Subject(name="written workflows", read=_workflows, seeds=tuple(STACKS.values()), words=WORDS, inputs=60),
    Subject(name="file of variables", read=_dotenv, seeds=DOTENV, inputs=500),
    Subject(name="variables in a compose file", read=_substituted, seeds=TEXTS, inputs=800, refuses=(TonnageError,)),
    Subject(name="manifest of weights", read=_manifest, seeds=MANIFEST, inputs=400),
)
