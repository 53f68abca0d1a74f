from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tonnage.adapters.reclaim.catalogue import load_catalogue
from tonnage.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from tonnage.model.reclaim.candidate import CatalogueEntry

WHOLE = load_catalogue()
# What the cleaners of hosted runners remove, and what issue authors paste into workflows.
REMOVED_BY_OTHERS = (
    "/usr/local/lib/android/sdk/ndk/27", "/usr/local/.ghcup/ghc/9.8", "/opt/ghc/9.4", "/usr/share/dotnet/sdk/8.0",
    "/usr/share/swift/usr", "/opt/hostedtoolcache/CodeQL/2.1", "/opt/hostedtoolcache/Python/3.12",
    "/opt/hostedtoolcache/go/1.22", "/opt/hostedtoolcache/node/20", "/opt/hostedtoolcache/PyPy/3.9",
    "/opt/hostedtoolcache/Ruby/3.3", "/usr/lib/llvm-18", "/usr/lib/jvm/temurin-17", "/usr/local/share/powershell",
    "/usr/lib/google-cloud-sdk", "/usr/local/julia1.12.1", "/usr/share/miniconda", "/opt/microsoft/msedge", "/opt/az",
    "/usr/share/az_12.5.0", "/etc/skel/.rustup", "/home/packer", "/usr/local/share/chromium", "/opt/pipx/venvs/x",
    "/usr/local/lib/node_modules/npm", "/opt/google/chrome", "/usr/lib/firefox", "/usr/local/aws-cli",
    "/usr/local/aws-sam-cli", "/usr/share/gradle-8.10", "/opt/runner-cache/x", "/opt/actionarchivecache/x",
    "/usr/local/share/vcpkg", "/home/linuxbrew/.linuxbrew", "/usr/local/share/boost/1.69",
)  # fmt: skip


@pytest.mark.parametrize("entry", WHOLE, ids=lambda entry: entry.name)
def test_an_entry_says_what_breaks_and_how_it_is_got_back_and_where_that_was_read(entry: CatalogueEntry) -> None:
    assert all((entry.what, entry.breaks, entry.back, entry.source))
    assert entry.cost_s(7_000_000_007) > entry.cost_s(0) >= 0


def test_every_kind_and_every_cache_is_there() -> None:
    names = {entry.name for entry in WHOLE}
    assert {"apt-archives", "pip", "uv", "npm", "yarn", "cargo", "go-modules", "conda-packages", "huggingface"} <= names
    assert {"torch-hub", "journals", "rotated-logs", "core-dumps", "old-snaps", "swap-file"} <= names


@pytest.mark.parametrize("path", REMOVED_BY_OTHERS)
def test_what_other_cleaners_remove_is_known_and_goes_only_on_disposable_machines(path: str) -> None:
    from fnmatch import fnmatchcase  # noqa: PLC0415

    entry = next(each for each in WHOLE if any(fnmatchcase(path, pattern) for pattern in each.paths))
    assert entry.disposable_only


def test_nothing_of_a_running_system_matches_a_pattern() -> None:
    from fnmatch import fnmatchcase  # noqa: PLC0415

    for path in ("/usr/lib/modules/6.8.0-azure", "/usr/bin/perl", "/usr/lib/gcc/x", "/var/lib/docker/overlay2/x"):
        assert not [p for entry in WHOLE for p in entry.paths if fnmatchcase(path, p)]


GOOD = '[[entry]]\nname="n"\nkind="sdk"\nwhat="w"\nbreaks="b"\nback="k"\nback_s=1\nback_s_per_gb=1\n'


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ('paths=["/*/*"]', "names nothing of its own"),
        ('paths=["$HOME/*"]', "names nothing of its own"),
        ('paths=["/opt"]', "names nothing of its own"),
        ('paths=["/opt/../etc"]', "a dot"),
        ('paths=["/opt/**/x"]', "a dot or"),
        ('paths=["opt/x"]', "begins neither"),
        ("paths=[]", "no paths"),
        ('paths=["/opt/x"]\nsize=1', "size"),
    ],
)
def test_an_entry_that_could_do_harm_is_refused(tmp_path: Path, lines: str, says: str) -> None:
    (tmp_path / "a.toml").write_text(f'source="s"\n{GOOD}{lines}\n')
    with pytest.raises(UsageError, match="catalogue") as told:
        load_catalogue(tmp_path)
    assert says in str(told.value)


def test_two_entries_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(f'source="s"\n{GOOD}paths=["/opt/x"]\n' * 1 + f'{GOOD}paths=["/opt/y"]\n')
    with pytest.raises(UsageError):
        load_catalogue(tmp_path)
