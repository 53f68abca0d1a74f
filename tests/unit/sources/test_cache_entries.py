"""What ``cache_from`` and ``cache_to`` say, as buildx reads it."""

from __future__ import annotations

import pytest

from tonnage.sources.cache_entries import cache_entry


@pytest.mark.parametrize(
    ("text", "kind", "where", "whole"),
    [
        ("example.org/shop:cache", "registry", "example.org/shop:cache", False),
        ("type=registry,ref=example.org/shop:cache,mode=max", "registry", "example.org/shop:cache", True),
        ("type=local,dest=/srv/cache,mode=min", "local", "/srv/cache", False),
        ("type=local,src=/srv/cache", "local", "/srv/cache", False),
        ('"type=local","dest=/srv/a,b"', "local", "/srv/a,b", False),
        ("type=gha,mode=max", "gha", "", True),
        ("Type=inline", "inline", "", False),
        ("", "registry", "", False),
    ],
)
def test_entries_are_read_as_buildx_reads_them(text: str, kind: str, where: str, whole: bool) -> None:  # noqa: FBT001
    found = cache_entry(text)
    assert (found.kind, found.where, found.whole) == (kind, where, whole)


def test_only_a_directory_is_written_to_on_this_machine() -> None:
    assert cache_entry("type=local,dest=/srv/cache").directory == "/srv/cache"
    assert cache_entry("type=registry,ref=example.org/shop:cache").directory == ""


def test_what_gives_access_is_not_shown() -> None:
    assert "swordfish" not in cache_entry("type=s3,bucket=b,secret_access_key=swordfish").shown
