"""What a build is read from: Dockerfiles, scripts, ignore files, names of images."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

from msgspec.structs import replace
from tests.fuzz.subject import Subject, whole_text

from tonnage.adapters.context.entries import IgnoreRules
from tonnage.adapters.images.image_config import python_version
from tonnage.errors import TonnageError, UsageError
from tonnage.forecast.commands.effects import effects
from tonnage.forecast.costs.base_layers import python_named, target_of
from tonnage.forecast.python.pylock import tags_of
from tonnage.forecast.shell.script import read_script
from tonnage.lint.dockerfiles import dockerfile_findings
from tonnage.lint.fixing import with_fixes
from tonnage.lint.inline_dockerfiles import inline_findings
from tonnage.lint.rules import DOCKERFILE_RULES, REQUIREMENT_RULES, WORKFLOW_RULES
from tonnage.lint.same_commands import does_the_same
from tonnage.lint.text_files import refuse_no_requirements, text_findings
from tonnage.lint.torch.builds import build_of
from tonnage.lint.torch.override_text import override_text, read_override
from tonnage.lint.torch.requirement_text import WantedVersions, with_build
from tonnage.lint.workflow_rules.jobs import refuse_no_workflow
from tonnage.model.forecast.image_reference import image_name
from tonnage.model.reports.torch import TorchVariant
from tonnage.sources.dockerfile.base_images import base_reference, images_in, line_of
from tonnage.sources.dockerfile.parser import read_dockerfile
from tonnage.sources.dockerfile.patterns import name_pattern
from tonnage.sources.dockerfile.recipe import recipe
from tonnage.sources.substitution import Lexer, SubstitutionError

ROOT = Path(__file__).resolve().parents[3]
DOCKERFILES = (
    *(path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("examples/vision/*/Dockerfile"))),
    ("# syntax=docker/dockerfile:1\n# escape=`\nARG V=3.11\nFROM --platform=$BUILDPLATFORM python:${V}-slim AS base\n"
    'ENV A=b C="d e" PATH=/x:$PATH\nWORKDIR /app\nCOPY --from=other --chown=1:1 ["a b", "c"]\nONBUILD RUN x\n'),
    ("FROM a AS one\nRUN --mount=type=cache,target=/root/.cache,sharing=locked --network=none <<EOF bash\n"
    'pip install -r r.txt\nset -e\nEOF\nFROM one\nCOPY <<A <<"B" /x/\n$HOME\nA\nb\nB\nADD --checksum=sha256:00 '
    'https://files.example.org/a.tar.gz /\nHEALTHCHECK --interval=5s CMD x\nSHELL ["/bin/bash", "-c"]\nRUN ["a"]\n'),
    ('FROM scratch\nCOPY --link --parents --exclude=*.txt a b /\nVOLUME ["/a"]\nUSER 1\nEXPOSE 80/tcp\nSTOPSIGNAL 9\n'
    'LABEL a=b \\\n  c=d\nENTRYPOINT exec top -b\nCMD ["x"]\n'),
)  # fmt: skip
SCRIPTS = (
    "apt-get update && apt-get install -y --no-install-recommends curl=7.* git/stable && rm -rf /var/lib/apt/lists/*",
    "pip install --no-cache-dir --index-url https://index.example.org/simple 'torch==2.3.1+cpu' -r /a/r.txt -c c.txt",
    'set -eux; for f in a b c; do curl -fsSL https://files.example.org/$f -o /opt/$f; done; if [ -n "$A" ]; then x; fi',
    "case $(uname -m) in x86_64) A=1;; a*|b) A=2;; esac; wget -qO- https://files.example.org/a.tgz | tar -xz -C /opt",
    "cat > /a <<'EOF'\na $b\nEOF\ngit clone --depth 1 -b v1 https://git.example.org/a.git /src && cd /src && make -j4",
    "uv pip install --system a; uv sync --frozen --no-dev; poetry install --only main; pipx install x; conda install y",
    "f() { local x=${1:-a}; echo \"${x%%.*}\" >> /b; }; f a.b & while read l; do :; done < /c; trap 'x' EXIT; ((i++))",
    ("npm ci --omit=dev; apk add --no-cache a; dnf -y install b; find / -name '*.pyc' -delete | xargs rm -f; dd of=/a "
    "bs=1M count=5; truncate -s 1G /b; fallocate -l 10MB /c; printf '%s\\n' a | tee /d; cp -r /a /b; python -c 'x'"),
)  # fmt: skip
WORDS = (
    "RUN ", "FROM ", "COPY ", "ADD ", "ARG ", "ENV ", "ONBUILD ", "--mount=", "type=bind,", "from=", "source=", "--from=",
    "AS ", "<<EOF", "EOF\n", "\\\n", "`\n", "# escape=`\n", "# syntax=x\n", "${A}", "${A:-b}", "${A:+c}", "${A#*.}",
    "${A//a/b}", "$(", "`", "&&", "||", ";", "|", ">", "<", "'", '"', "[", "]", '["a", ', "scratch", "do ", "done", "then",
    "fi", "esac", "{", "}", "(", ")", "pip install ", "-r ", "curl -o ", "bs=9999999999999999G", "count=", "-s 1e99",
    "tar -x", "rm -rf /", "cd ", "export ", "set -e", "!", "*", "**", "**/", "../", "[a-z]", "\\", "\x00", "\r", "\u2028",
)  # fmt: skip
IGNORED = (
    "*.log\n!keep.log\n# no\n**/node_modules\n/a/b/../c\nx?[a-c]\n\\#y\n**/*.py[cod]\n!**/src/**\n*\n",
    "a\nb/\n./c\n**\n!d/**/e\n[!a]x\n[]a]\n[^b]*\n",
)
REFERENCES = (
    "python:3.11-slim", "registry.example.org:5000/a/b_c/d--e:v1.0@sha256:" + "0" * 64, "localhost/x", "a.b/c:latest",
    "[::1]:5000/a", "UPPER.example.org/a", "docker.io/library/x@sha512:" + "a" * 128,
)  # fmt: skip


def _dockerfile(text: str) -> None:
    text = whole_text(text)
    read = read_dockerfile(text)
    for target in ("", "one") if " AS one" in text else ("",):
        made = recipe(read, build_args={"A": "x y", "V": "3.12"}, target=target)
        for stage in made.stages:
            for step in stage.steps:
                assert effects(step) is not None
    for reference in images_in(text, {"A": "b"}, {}):
        image_name(reference)
    base_reference(text, {})
    line_of(text, "RUN")


def _script(text: str) -> None:
    text = whole_text(text)
    script = read_script(text, {"A": "x y", "HOME": "/root"})
    for at, command in enumerate(script.commands):
        assert command.pipe_to is None or script.commands[command.pipe_to].pipe_from == at


_STEP = recipe(read_dockerfile("FROM a\nENV A=b\nWORKDIR /w\nRUN x\n")).stages[0].steps[-1]


def _effects(text: str) -> None:
    assert hasattr(_STEP.action, "script")
    step = replace(_STEP, action=replace(_STEP.action, script=whole_text(text)))
    found = effects(step)
    for each in found:
        assert repr(each)


def _ignored(text: str) -> None:
    rules = IgnoreRules(whole_text(text))
    for path in ("a", "a/b/c.py", "keep.log", "/".join("a" * 12), "a" * 250, "node_modules/" * 20 + "x", "a\nb"):
        rules.leaves_out(rules.hit(path))
        rules.may_take_back_below(path)


def _name(text: str) -> None:
    pattern = name_pattern(whole_text(text))
    for name in ("a", "b.txt", "a" * 250, "\n"):
        pattern.fullmatch(name)


def _reference(text: str) -> None:
    found = image_name(text)
    if found is not None:
        whole = "/".join(filter(None, (found.domain, found.path)))
        assert re.fullmatch(r"[A-Za-z0-9._:/\[\]-]+", whole), whole


def _substituted(text: str) -> None:
    values = {"A": "x y", "B": "*.txt", "C": ""}
    for escape in ("\\", "`"):
        lexer = Lexer(escape=escape)
        lexer.expand(text, values)
        lexer.words(text, values)


def _target(text: str) -> None:
    text = whole_text(text)
    python, _, platform = text.partition(" ")
    for named in (python, python_named(text), python_version("python", {"PYTHON_VERSION": text}, ())):
        found = target_of(named, "linux/amd64", None, chosen_platform=platform)
        if found is not None:
            assert found.minor >= (0, 0)
            list(tags_of(found))


# What grew without end, or went deeper than Python does.
GREW = (
    "FROM a\nENV A0=xxxxxxxx\n" + "".join(f"ENV A{n + 1}=$A{n}$A{n}\n" for n in range(40)),
    "FROM a\nENV A=xxxxxxxx" + "\nENV A=$A$A" * 40 + "\n",
    "FROM a\nENV A="
    + "a" * 30_000
    + "\nENV B=${A%%*a*a*a*a*a*a*ab} C=${A##*a*a*a*a*a*a*ab} D=${A//*a*a*a*a*a*a*ab/x}\n",
    "FROM a\nENV A=" + "${B:-" * 3_000 + "}" * 3_000 + "\n",
    "FROM a AS s0\n" + "".join(f"FROM s{n} AS s{n + 1}\n" for n in range(1_900)),
    "FROM a AS s0\n" + "".join(f"FROM s{n} AS s{n + 1}\nRUN x\n" for n in range(3_000)),
    "FROM a\n" + "ONBUILD " * 3_000 + "RUN x\n",
    "FROM a\nRUN " + "[" * 30_000 + "\n",
    "FROM a\nCOPY --from=" + "9" * 5_000 + " a b\n",
)
GREW_IN_SCRIPTS = (
    "A=xxxxxxxx; " + "A=$A$A; " * 40 + "pip install $A",
    "".join(f"f{n}() {{ f{n + 1}; f{n + 1}; }}; " for n in range(40)) + "f40() { :; }; f0",
    "for a in 1 2 3 4 5 6 7 8 9 0; do " * 9 + "x $a; " + "done; " * 9,
    "A=$(echo " * 200 + "x" + ")" * 200,
    "if a; then " * 500 + "x" + "; fi" * 500,
    "a && " * 8_000 + "x",
    "x | xargs " * 2_000 + "x",
    "A=" + "a" * 3_000 + "; echo ${A%%" + "*a" * 30 + "*b} ${A//" + "*a" * 30 + "*b/x}",
    "truncate -s "
    + "9" * 5_000
    + "E /a; useradd -u "
    + "9" * 5_000
    + " x; [ "
    + "9" * 5_000
    + " -gt 1 ] && x; x "
    + "9" * 5_000
    + ">a",
    "pip install --no-cach" + "\u9ea6)" * 12_000,
)


def _linted(text: str) -> None:
    """Find and fix: what is fixed is a Dockerfile, does the same, and has nothing left to fix."""
    done = with_fixes(text, lambda each: dockerfile_findings(each, "D"), lambda _: True, same=does_the_same)
    if done.fixed:
        assert does_the_same(text, done.text)
        again = with_fixes(done.text, lambda each: dockerfile_findings(each, "D"), lambda _: True, same=does_the_same)
        assert again.text == done.text


def _linted_requirements(text: str) -> None:
    with contextlib.suppress(UsageError):
        refuse_no_requirements(text, "r")
    done = with_fixes(text, lambda each: text_findings(each, "r", REQUIREMENT_RULES), lambda _: True)
    again = with_fixes(done.text, lambda each: text_findings(each, "r", REQUIREMENT_RULES), lambda _: True)
    assert again.text == done.text


_TORCH = WantedVersions(
    versions={"torch": "2.3.1", "torchvision": "0.18.1"}, hashes={"torch": ("--hash=sha256:00",)}, without=("triton",)
)


def _with_another_torch(text: str) -> None:
    """Whatever is written of PyTorch is written once: what was rewritten stays."""
    for build in (
        build_of(TorchVariant.CPU),
        build_of(TorchVariant.CUDA),
        build_of(TorchVariant.CUDA, "https://a/cu121"),
    ):
        for above in (0, 2):
            done = with_build(text, build, _TORCH, above=above)
            again = with_build(done.text, build, _TORCH)
            assert done.left or again.left or again.text == done.text, (done.text, again.text)


def _workflow(text: str) -> None:
    text_findings(text, "ci.yml", WORKFLOW_RULES)
    with contextlib.suppress(UsageError):
        refuse_no_workflow(text, "ci.yml")
    with contextlib.suppress(UsageError):
        assert not any(each.fix for each in inline_findings(text, "compose.yaml", DOCKERFILE_RULES))
    known = read_override(text)
    assert known is None or override_text(known) == text


SUBJECTS = (
    Subject(
        name="PyTorch of a requirement file", read=_with_another_torch, inputs=300, refuses=(),
        words=("torch", "==2.3.1", "+cpu", "--hash=sha256:00", "\\\n", "--extra-index-url ", "https://a/whl/cpu", "; ", "# via"),
        seeds=(
            "flask\ntorch==2.3.1 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n    # via x\ntriton==2.3.1\n",
            "--extra-index-url https://a/whl/cpu\ntorch==2.3.1+cpu ; python_version < '4'\r\ntorchvision\r\n",
            "-i https://a/whl/cu121\ntorch @ https://a/torch-2.3.1.whl#sha256=0\n-c limits.txt\n",
        ),
    ),
    Subject(
        name="workflow and override of PyTorch", read=_workflow, inputs=300, refuses=(),
        words=("docker ", "compose ", "build ", "prune -af", "jobs:\n", "rm -rf ", "/opt/ghc", "# tonnage: ignore=", '"'),
        seeds=(
            *(f"jobs:\n  a:\n    steps:\n{rule.before}\n" for rule in WORKFLOW_RULES),
            override_text({"web": {"TORCH_CPU_ONLY": "1", "TORCH_INDEX_URL": "https://a/cpu"}}),
            "services:\n  a:\n    build:\n      dockerfile_inline: |\n        FROM a\n        RUN pip install $$b\n",
        ),
    ),
    Subject(
        name="target of an install", read=_target, inputs=150,
        seeds=("3.11 manylinux2014_x86_64", "312 aarch64-manylinux_2_28", "3.11.4 musllinux_1_2_x86_64", "python:3.9"),
        found=("python:" + "3" * 40_000, "9" * 40_000),
    ),
    Subject(name="Dockerfile", read=_dockerfile, seeds=DOCKERFILES, words=WORDS, inputs=150, found=GREW),
    Subject(
        name="lint of a Dockerfile", read=_linted, words=WORDS, inputs=80, found=GREW,
        seeds=(*DOCKERFILES, *(f"FROM a AS build\nFROM a\n{rule.before}\n" for rule in DOCKERFILE_RULES)),
    ),
    Subject(
        name="lint of a requirement file", read=_linted_requirements, inputs=200, refuses=(),
        seeds=tuple(f"{rule.before}\n# tonnage: ignore=x\nflask\n" for rule in REQUIREMENT_RULES),
    ),
    Subject(name="shell script", read=_script, seeds=SCRIPTS, words=WORDS, inputs=250, refuses=()),
    Subject(name="effects of a script", read=_effects, seeds=SCRIPTS, words=WORDS, inputs=250, found=GREW_IN_SCRIPTS),
    Subject(name="ignore file", read=_ignored, seeds=IGNORED, words=("**/", "*", "!", "[", "]", "/", "a", "\n", "..")),
    Subject(name="pattern of a name", read=_name, seeds=("*.txt", "a[!b-c]?", "\\\\*x", "[]a]"), refuses=()),
    Subject(name="image reference", read=_reference, seeds=REFERENCES, inputs=800, refuses=()),
    Subject(
        name="substitution", read=_substituted, inputs=500, refuses=(TonnageError, SubstitutionError),
        seeds=("a$A${B:-c d}'e'\"f\\g\"", "${A:+${B:-${C:-d}}}x", "${A#*y}${A%% *}${A/x/z}", "a b\\ c 'd e' \"$A\""),
    ),
)  # fmt: skip
