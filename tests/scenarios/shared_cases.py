"""Services as people write them, with what of each may be shared, or why nothing may. Their packages are small."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# The image of the tests has no ensurepip.
ENVIRONMENT = "python -m venv --without-pip"
FLASK = frozenset({"blinker", "click", "flask", "itsdangerous", "jinja2", "markupsafe", "werkzeug"})
PROJECT = """[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "ship"
version = "1.0"
dependencies = ["flask==3.0.3"]
scripts = {ship = "ship:main"}
[tool.setuptools]
py-modules = ["ship"]
"""
HASHED = """click==8.1.7 \\
    --hash=sha256:ae74fb96c20a0277a1d615f1e4d73c8414f5a98db8b799a7931d1582f3390c28
"""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One service.

    Args:
        lines: Its Dockerfile; without a ``FROM`` it stands on the usual image.
        shares: What of it has to be shared, by names of packages.
        alone: What of it must not be.
        why: What is said where nothing is shared.
        files: In its context.
        wheels: Archives in its context, each with the files in it.
        keys: Further keys of its ``build``.
        short: It runs always.
        since: The version of the engine whose builder knows what it says.
    """

    lines: str
    shares: frozenset[str] = frozenset()
    alone: frozenset[str] = frozenset()
    why: str = ""
    files: dict[str, str] = field(default_factory=dict)
    wheels: dict[str, dict[str, str]] = field(default_factory=dict)
    keys: dict[str, object] = field(default_factory=dict)
    short: bool = False
    since: int = 0

    def write(self, context: Path) -> None:
        """Write its Dockerfile and what that copies."""
        for name, text in {"Dockerfile": self.dockerfile, **self.files}.items():
            (context / name).parent.mkdir(parents=True, exist_ok=True)
            (context / name).write_text(text)
        for name, held in self.wheels.items():
            (context / name).parent.mkdir(parents=True, exist_ok=True)
            _write_wheel(context / name, held)

    @property
    def dockerfile(self) -> str:
        """The whole Dockerfile."""
        text = self.lines if "FROM " in self.lines else f"FROM python:3.11-slim\n{self.lines}"
        return f"{text}\nCMD true\n"


def _write_wheel(path: Path, held: dict[str, str]) -> None:
    project, version, *_ = path.name.split("-")
    about = f"{project}-{version}.dist-info"
    told = {
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {**held, **told}.items():
            archive.writestr(name, text)
        record = "".join(f"{name},,\n" for name in (*held, *told, f"{about}/RECORD"))
        archive.writestr(f"{about}/RECORD", record)


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


CASES = {
    "plain": Case(lines="RUN pip install --no-cache-dir flask==3.0.3", shares=FLASK),
    "ranges": Case(lines='RUN pip install --no-cache-dir "flask>=3,<3.1" "click<8.2"', shares=FLASK),
    "pins": Case(
        lines="COPY requirements.txt .\nRUN pip install --no-cache-dir -r requirements.txt",
        files={"requirements.txt": "flask==3.0.3\nrequests==2.32.3\nPyYAML==6.0.2\n"},
        shares=FLASK | _names("requests urllib3 certifi idna charset-normalizer"),
    ),
    "constraints": Case(
        lines="COPY *.txt ./\nRUN pip install --no-cache-dir -r requirements.txt -c limits.txt",
        files={"requirements.txt": "flask\n", "limits.txt": "flask==3.0.2\nwerkzeug==3.0.1\nclick<8.1.7\n"},
        shares=FLASK,
    ),
    "nested": Case(
        lines="COPY wanted wanted\nRUN pip install --no-cache-dir -r wanted/all.txt",
        files={"wanted/all.txt": "-r web.txt\nsix==1.17.0\n", "wanted/web.txt": "flask==3.0.3\n"},
        shares=FLASK | {"six"},
    ),
    "several": Case(
        lines="RUN pip install --no-cache-dir click==8.1.7\nCOPY note.txt /note.txt\n"
        "RUN pip install --no-cache-dir flask==3.0.3 && pip install --no-cache-dir six==1.17.0",
        files={"note.txt": "a note\n"},
        shares=FLASK | {"six"},
    ),
    "extras": Case(
        lines='RUN pip install --no-cache-dir "flask[dotenv]==3.0.3" "requests[socks]==2.32.3"',
        shares=FLASK | _names("python-dotenv pysocks requests"),
    ),
    "mounted-cache": Case(
        lines="RUN --mount=type=cache,target=/root/.cache/pip pip install flask==3.0.3", shares=FLASK
    ),
    "cache-in-the-layer": Case(lines="RUN pip install six==1.17.0", shares=frozenset({"six"})),
    "mounted-requirements": Case(
        lines="RUN --mount=type=bind,source=wanted.txt,target=/w.txt pip install --no-cache-dir -r /w.txt",
        files={"wanted.txt": "flask==3.0.3\n"},
        shares=FLASK,
    ),
    "project": Case(
        lines="WORKDIR /src\nCOPY . .\nRUN pip install --no-cache-dir .",
        files={"pyproject.toml": PROJECT, "ship.py": "def main(): print('afloat')\n"},
        shares=FLASK,
        alone=frozenset({"ship"}),
    ),
    "editable": Case(
        lines="WORKDIR /src\nCOPY . .\nRUN pip install --no-cache-dir -e .",
        files={"pyproject.toml": PROJECT, "ship.py": "def main(): print('afloat')\n"},
        shares=FLASK,
        alone=frozenset({"ship"}),
    ),
    "upgraded-pip": Case(
        lines="RUN pip install --no-cache-dir --upgrade pip && pip install --no-cache-dir flask==3.0.3",
        shares=FLASK,
        alone=frozenset({"pip"}),
    ),
    "tools-as-well": Case(
        lines="RUN pip install --no-cache-dir setuptools==75.8.0 wheel==0.45.1 six==1.17.0",
        shares=frozenset({"six"}),
        alone=_names("setuptools wheel"),
    ),
    "argument-for-the-base": Case(
        lines="ARG BASE=python:3.11-slim\nFROM ${BASE}\nRUN pip install --no-cache-dir flask==3.0.3", shares=FLASK
    ),
    "given-base": Case(
        lines="ARG VERSION=3.12\nFROM python:${VERSION}-slim AS it\nRUN pip install --no-cache-dir flask==3.0.3",
        keys={"args": {"VERSION": "3.11"}},
        shares=FLASK,
    ),
    "named-stages": Case(
        lines="FROM python:3.11-slim AS Wheels\nRUN python -m pip install --no-cache-dir flask==3.0.3\n"
        "FROM wheels\nRUN pip3 install --no-cache-dir six==1.17.0",
        shares=FLASK | {"six"},
        short=True,
    ),
    "target": Case(
        lines="FROM python:3.11-slim AS serving\nRUN pip install --no-cache-dir flask==3.0.3\n"
        "FROM serving AS tests\nRUN pip install --no-cache-dir pytest==8.3.4",
        keys={"target": "serving"},
        shares=FLASK,
        alone=frozenset({"pytest"}),
    ),
    "platform": Case(
        lines="FROM --platform=linux/amd64 python:3.11-slim\nRUN pip install --no-cache-dir flask==3.0.3",
        shares=FLASK,
    ),
    "library-name": Case(
        lines="FROM docker.io/library/python:3.11-slim\nRUN pip install --no-cache-dir flask==3.0.3", shares=FLASK
    ),
    "later-user": Case(
        lines="ENV PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1\nRUN pip install flask==3.0.3\n"
        "RUN useradd --uid 1000 me\nUSER me\nWORKDIR /home/me",
        shares=FLASK,
    ),
    "no-bytecode": Case(lines="RUN pip install --no-cache-dir --no-compile flask==3.0.3", shares=FLASK),
    "no-dependencies": Case(
        lines="RUN pip install --no-cache-dir --no-deps flask==3.0.3", shares=frozenset({"flask"})
    ),
    "heredoc": Case(
        lines="RUN <<EOF\nset -e\npip install --no-cache-dir six==1.17.0\nEOF", shares=frozenset({"six"}), since=23
    ),
    "kinds": Case(
        # Scripts, data for share, namespaces with and without a .pth, one module alone, extensions, headers.
        lines="RUN pip install --no-cache-dir jsonpatch==1.33 jupyterlab-widgets==3.0.13 zope.interface==7.2"
        " google-auth==2.37.0 six==1.17.0 PyYAML==6.0.2 greenlet==3.1.1 docutils==0.21.2 coverage==7.6.10",
        shares=_names("jsonpatch jupyterlab-widgets zope-interface google-auth six greenlet docutils coverage"),
    ),
    "one-path": Case(
        lines="RUN pip install --no-cache-dir PyJWT==2.10.1 jwt==1.3.1 six==1.17.0",
        shares=frozenset({"six"}),
        alone=_names("pyjwt jwt"),
    ),
    "one-path-by-address": Case(
        # The one that is named by its address is no wheel that may be shared: then six must not lie below it either.
        lines="COPY wheels /wheels\nRUN pip install --no-cache-dir six==1.17.0 /wheels/masts-1.0-py3-none-any.whl"
        " click==8.1.7",
        wheels={"wheels/masts-1.0-py3-none-any.whl": {"six.py": "MASTS = 3\n"}},
        shares=frozenset({"click"}),
        alone=_names("six masts"),
        short=True,
    ),
    "programs": Case(
        lines="RUN pip install --no-cache-dir protobuf==5.29.3 six==1.17.0",
        shares=frozenset({"six"}),
        alone=frozenset({"protobuf"}),
    ),
    "kept-apart-install": Case(
        lines="RUN pip install --no-cache-dir --target=/opt/more six==1.17.0\n"
        "RUN pip install --no-cache-dir flask==3.0.3 six==1.17.0",
        shares=FLASK,
        alone=frozenset({"six"}),
    ),
    "hashes": Case(
        lines="COPY locked.txt .\nRUN pip install --no-cache-dir -r locked.txt",
        files={"locked.txt": HASHED},
        shares=frozenset({"click"}),
    ),
    "prefix": Case(
        lines="FROM python:3.11-slim\nRUN pip install --no-cache-dir --prefix=/install six==1.17.0", why="--prefix"
    ),
    "copied-target": Case(
        lines="FROM python:3.11-slim AS one\nRUN pip install --no-cache-dir --target=/found six==1.17.0\n"
        "FROM python:3.11-slim\nCOPY --from=one /found /usr/local/lib/python3.11/site-packages",
        why="--target",
    ),
    "copied-site-packages": Case(
        lines="FROM python:3.11-slim AS one\nRUN pip install --no-cache-dir flask==3.0.3 six==1.17.0\n"
        "FROM python:3.11-slim\nCOPY --from=one /usr/local/lib/python3.11 /usr/local/lib/python3.11\n"
        "COPY --from=one /usr/local/bin /usr/local/bin",
        shares=FLASK | {"six"},
    ),
    "environment": Case(
        lines=f"RUN {ENVIRONMENT} /v && pip --python /v/bin/python install --no-cache-dir flask==3.0.3 six==1.17.0",
        shares=FLASK | {"six"},
    ),
    "copied-environment": Case(
        lines=f"FROM python:3.11-slim AS builder\nWORKDIR /app\nRUN {ENVIRONMENT} .venv\n"
        "RUN pip --python /app/.venv/bin/python install --no-cache-dir flask==3.0.3 greenlet==3.1.1\n"
        "FROM python:3.11-slim\nCOPY --from=builder /app/.venv /app/.venv",
        shares=FLASK | {"greenlet"},
        short=True,
    ),
    "environment-with-the-system": Case(
        lines="RUN python -m venv --without-pip --system-site-packages /v"
        " && pip --python /v/bin/python install --no-cache-dir six==1.17.0",
        why="not known to be",
    ),
    "user-before": Case(
        lines="RUN useradd --create-home --uid 1000 me\nUSER me\nRUN pip install --no-cache-dir six==1.17.0",
        why="USER me",
    ),
    "own-settings": Case(
        lines="COPY pip.conf /etc/pip.conf\nRUN pip install --no-cache-dir six==1.17.0",
        files={"pip.conf": "[install]\ntarget = /elsewhere\n"},
        why="pip.conf",
    ),
    "mount-over-the-place": Case(
        lines="RUN --mount=type=cache,target=/usr/local/lib/python3.11 pip install --no-cache-dir six==1.17.0",
        why="mounted",
    ),
    "from-source": Case(
        lines="RUN pip install --no-cache-dir --no-binary :all: six==1.17.0", why="--no-binary"
    ),
    "uv": Case(
        lines="RUN pip install --no-cache-dir uv==0.5.20 && uv pip install --system --no-cache six==1.17.0",
        shares=frozenset({"uv"}),
        alone=frozenset({"six"}),
    ),
    "unknown-before": Case(
        lines="COPY prepare /prepare\nRUN sh /prepare\nRUN pip install --no-cache-dir six==1.17.0",
        files={"prepare": "echo prepared\n"},
        why="what runs before it is not known",
    ),
}  # fmt: skip
