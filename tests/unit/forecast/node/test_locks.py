"""Locks of npm, yarn, pnpm and bun, as their programs write them."""

from __future__ import annotations

import json

import pytest

from tonnage.errors import CannotResolveError
from tonnage.forecast.node.locks import read_lock

PROJECT = json.dumps({"dependencies": {"web": "^1.0.0"}, "devDependencies": {"checker": "^2.0.0"}})
NPM = {
    "lockfileVersion": 3,
    "packages": {
        "": {"dependencies": {"web": "^1.0.0"}, "devDependencies": {"checker": "^2.0.0"}},
        "node_modules/web": {"version": "1.3.7", "resolved": "https://example.org/web/-/web-1.3.7.tgz"},
        "node_modules/web/node_modules/small": {"version": "0.9.0"},
        "node_modules/small": {"version": "0.9.0"},
        "node_modules/checker": {"version": "2.0.1", "dev": True, "hasInstallScript": True},
        "node_modules/@fast/linux-x64": {"version": "1.0.0", "optional": True, "os": ["linux"], "cpu": ["x64"]},
        "node_modules/alias": {"name": "@real/name", "version": "4.0.0"},
        "node_modules/own": {"resolved": "packages/own", "link": True},
        "node_modules/web/node_modules/inner": {"version": "1.0.0", "inBundle": True},
        "packages/own": {"version": "1.0.0"},
    },
}
NPM_1 = {
    "lockfileVersion": 1,
    "dependencies": {
        "web": {"version": "1.3.7", "dependencies": {"small": {"version": "0.9.0"}}},
        "small": {"version": "0.9.0"},
        "checker": {"version": "2.0.1", "dev": True},
    },
}
YARN_1 = """\
# yarn lockfile v1


"@fast/linux-x64@^1.0.0":
  version "1.0.0"

"@fast/win32-x64@^1.0.0":
  version "1.0.0"

checker@^2.0.0:
  version "2.0.1"
  resolved "https://example.org/checker/-/checker-2.0.1.tgz#aa"

small@^0.9.0, "small@>=0.8":
  version "0.9.0"

"web@^1.0.0":
  version "1.3.7"
  dependencies:
    small "^0.9.0"
  optionalDependencies:
    "@fast/linux-x64" "^1.0.0"
    "@fast/win32-x64" "^1.0.0"
"""
YARN_4 = """\
__metadata:
  version: 8
  cacheKey: 10

"@fast/linux-x64@npm:^1.0.0":
  version: 1.0.0
  resolution: "@fast/linux-x64@npm:1.0.0"
  conditions: os=linux & cpu=x64 & libc=glibc
  languageName: node
  linkType: hard

"app@workspace:.":
  version: 0.0.0-use.local
  resolution: "app@workspace:."
  linkType: soft

"checker@npm:^2.0.0":
  version: 2.0.1
  resolution: "checker@npm:2.0.1"
  linkType: hard

"web@npm:^1.0.0":
  version: 1.3.7
  resolution: "web@npm:1.3.7"
  dependencies:
    "@fast/linux-x64": "npm:^1.0.0"
  dependenciesMeta:
    "@fast/linux-x64":
      optional: true
  linkType: hard
"""
PNPM_9 = """\
lockfileVersion: '9.0'

importers:

  .:
    dependencies:
      web:
        specifier: ^1.0.0
        version: 1.3.7(peer@3.0.0)
    devDependencies:
      checker:
        specifier: ^2.0.0
        version: 2.0.1

packages:

  '@fast/linux-x64@1.0.0':
    resolution: {integrity: sha512-x}
    cpu: [x64]
    os:
      - linux
    libc: [glibc]

  checker@2.0.1:
    resolution: {integrity: sha512-x, tarball: https://example.org/checker.tgz}

  web@1.3.7:
    resolution: {integrity: sha512-x}

snapshots:

  '@fast/linux-x64@1.0.0':
    optional: true

  checker@2.0.1: {}

  web@1.3.7(peer@3.0.0):
    optionalDependencies:
      '@fast/linux-x64': 1.0.0
"""
PNPM_6 = """\
lockfileVersion: '6.0'

dependencies:
  web:
    specifier: ^1.0.0
    version: 1.3.7

devDependencies:
  checker:
    specifier: ^2.0.0
    version: 2.0.1

packages:

  /checker@2.0.1:
    resolution: {integrity: sha512-x}
    dev: true

  /web@1.3.7(peer@3.0.0):
    resolution: {integrity: sha512-x}
    dev: false
"""
BUN = """\
{
  "lockfileVersion": 1,
  "workspaces": {"": {"dependencies": {"web": "^1.0.0"}, "devDependencies": {"checker": "^2.0.0"},},},
  "packages": {
    "checker": ["checker@2.0.1", "", {}, "sha512-x"],
    "web": ["web@1.3.7", "", {"optionalDependencies": {"@fast/linux-x64": "1"}}, "sha512-x"],
    "@fast/linux-x64": ["@fast/linux-x64@1.0.0", "", {"os": "linux", "cpu": "x64"}, "sha512-x"],
  }
}
"""
LOCKS = {
    "npm": ("package-lock.json", json.dumps(NPM)),
    "npm of form 1": ("package-lock.json", json.dumps(NPM_1)),
    "yarn 1": ("yarn.lock", YARN_1),
    "yarn 4": ("yarn.lock", YARN_4),
    "pnpm of form 9": ("pnpm-lock.yaml", PNPM_9),
    "pnpm of form 6": ("pnpm-lock.yaml", PNPM_6),
    "bun": ("bun.lock", BUN),
}


@pytest.mark.parametrize("kind", LOCKS)
def test_every_lock_tells_versions_and_what_is_for_development(kind: str) -> None:
    lock = read_lock(*LOCKS[kind], PROJECT)

    found = {each.name: each for each in lock.packages}
    assert (found["web"].version, found["web"].development) == ("1.3.7", False)
    assert (found["checker"].version, found["checker"].development) == ("2.0.1", True)
    assert not lock.notes
    assert not lock.doubtful


@pytest.mark.parametrize("kind", ["npm", "yarn 1", "yarn 4", "pnpm of form 9", "bun"])
def test_what_is_for_one_platform_says_for_which(kind: str) -> None:
    [fast] = [each for each in read_lock(*LOCKS[kind], PROJECT).packages if each.name == "@fast/linux-x64"]

    assert (fast.systems, fast.machines, fast.development) == (("linux",), ("x64",), False)


def test_a_package_in_two_places_is_one_with_two_copies() -> None:
    found = {each.name: each for each in read_lock(*LOCKS["npm"], PROJECT).packages}

    assert found["small"].copies == 2
    assert found["@real/name"].version == "4.0.0"
    assert found["checker"].scripts
    assert not {"own", "inner"} & set(found)


@pytest.mark.parametrize("kind", LOCKS)
def test_a_lock_that_does_not_fit_its_project_is_doubtful(kind: str) -> None:
    other = json.dumps({"dependencies": {"web": "^1.0.0", "added-later": "^1.0.0"}})
    lock = read_lock(*LOCKS[kind], other)

    if kind != "npm of form 1":  # It does not tell what was asked for.
        assert lock.doubtful
        assert any("added-later" in note for note in lock.notes)
    assert any(each.name == "web" for each in lock.packages)


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        ("npm", '"lockfileVersion": 3', '"lockfileVersion": 7'),
        ("yarn 4", "version: 8", "version: 31"),
        ("pnpm of form 9", "'9.0'", "'12.1'"),
        ("bun", '"lockfileVersion": 1', '"lockfileVersion": 5'),
    ],
)
def test_a_lock_of_a_newer_form_is_read_and_doubted(kind: str, old: str, new: str) -> None:
    name, text = LOCKS[kind]
    lock = read_lock(name, text.replace(old, new, 1), PROJECT)

    assert lock.doubtful
    assert "newest that is known here" in lock.notes[-1]
    assert any(each.name == "web" for each in lock.packages)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("package-lock.json", "<html><body>Sign in</body></html>"),
        ("package-lock.json", "[]"),
        ("package-lock.json", '{"packages": 3}'),
        ("package-lock.json", '{"packages": {"node_modules/a": 7}}'),
        ("package-lock.json", "[" * 100_000),
        ("bun.lock", "{}"),
        ("bun.lock", '{"packages": {"a": []}}'),
        ("package-lock.json", json.dumps({"dependencies": [1]})),
    ],
)
def test_what_is_no_lock_is_said_to_be_none(name: str, text: str) -> None:
    with pytest.raises(CannotResolveError, match="not a valid lock file"):
        read_lock(name, text)


def test_names_that_no_package_has_are_left_out() -> None:
    names = ("../../admin", "a/b/c", "@x/../y", "a?x=1", "a b", "a%2fb", "-" * 500, "..", ".")
    packages = {f"node_modules/{name}": {"version": "1.0.0"} for name in names}
    lock = read_lock("package-lock.json", json.dumps({"lockfileVersion": 3, "packages": packages}))

    assert not lock.packages


def test_a_lock_without_end_is_no_lock() -> None:
    packages = {f"node_modules/p{number}": {"version": "1.0.0"} for number in range(20_001)}

    with pytest.raises(CannotResolveError, match="more than 20000 packages"):
        read_lock("package-lock.json", json.dumps({"lockfileVersion": 3, "packages": packages}))
