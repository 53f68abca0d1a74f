"""Locks of Node.js, settings of npm, and source archives' own words."""

from __future__ import annotations

from tests.fuzz.subject import Subject, as_bytes, whole_text
from tests.unit.forecast.node.test_locks import LOCKS, PROJECT

from tonnage.forecast.costs.node_installs import chosen, installed
from tonnage.forecast.node.locks import MOST_PACKAGES, read_lock
from tonnage.forecast.node.npm_settings import npm_settings
from tonnage.forecast.python.archive_contents import contents_of
from tonnage.model.forecast.node_packages import NodeInstall, NodeTarget
from tonnage.model.stack import Place

INSTALL = NodeInstall(command="npm ci", place=Place("Dockerfile", 1), manager="npm", directory="/app", production=True)
WORDS = (
    "\n", "  ", '"', "'", ":", "@", "@npm:", "(", ")", "{", "}", "[", "]", "version", "resolved", "dependencies:", "- ", "&",
    "os=linux", "packages:", "snapshots:", "importers:", "__metadata:", "node_modules/", "../", "null", "true", "-1", ",",
)  # fmt: skip


def _lock(text: str) -> None:
    name = "pnpm-lock.yaml" if "lockfileVersion:" in text else "yarn.lock"
    name = "package-lock.json" if text.lstrip()[:1] == "{" else name
    lock = read_lock(name, whole_text(text), PROJECT if len(text) % 2 else whole_text(text[:40]))
    assert len(lock.packages) <= MOST_PACKAGES
    for each in lock.packages:
        assert ".." not in each.name.split("/")
        assert not set(each.name + each.version) & set(" ?#%\\\n")
        assert each.copies > 0
    packages = chosen(lock.packages, INSTALL, NodeTarget())
    for piece in installed(INSTALL, packages, {}, assume_bytes=7, doubtful=lock.doubtful).writes:
        assert 0 <= piece.disk.low_bytes <= piece.disk.likely_bytes <= piece.disk.high_bytes


def _bun(text: str) -> None:
    read_lock("bun.lock", whole_text(text), PROJECT)


def _said(text: str) -> None:
    content = as_bytes(text)
    for name in ("PKG-INFO", "pyproject.toml", "x.egg-info/requires.txt"):
        found = contents_of([(f"x-1/{name}", len(content))], [(f"x-1/{name}", content)])
        assert not any("@" in each for each in found.requires)


def _settings(text: str) -> None:
    told = {f"npm_config_{whole_text(text)[:40]}": whole_text(text), "npm_config_registry": text}
    found = npm_settings(
        told | {"npm_config_globalconfig": "/nowhere/npmrc", "npm_config_userconfig": "/nowhere/npmrc"}
    )
    for value in found.headers("https://registry.example.org/a").values():
        assert value.isprintable()


SEEDS = tuple(text for name, text in LOCKS.values() if name != "bun.lock")
SUBJECTS = (
    Subject(name="lock of Node.js", read=_lock, seeds=SEEDS, words=WORDS, inputs=400),
    Subject(name="lock of bun", read=_bun, seeds=(LOCKS["bun"][1],), words=WORDS, inputs=150),
    Subject(name="what a source archive says", read=_said, inputs=250, refuses=(), words=("[:", "]", "@", "Dynamic:", "\n\n"),
            seeds=("Metadata-Version: 2.2\nRequires-Dist: a\n", "a\n[:python_version>'3']\nb\n[x]\nc\n",
                   '[project]\nname = "x"\ndependencies = ["a"]\n[build-system]\nrequires = ["numpy"]\n')),
    Subject(name="settings of npm", read=_settings, inputs=150, refuses=(), reads=("/nowhere/npmrc",),
            seeds=("https://registry.example.org/npm/", "//registry.example.org/:_authToken=x")),
)  # fmt: skip
