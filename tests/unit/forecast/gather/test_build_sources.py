from __future__ import annotations

from tonnage.forecast.gather.build_sources import kept_sources
from tonnage.model.forecast.estimate import total

FILES = (("app", 4096), ("app/main.py", 8192), ("app/model.bin", 30_003_200), ("setup.py", 4096))


def test_what_was_sent_already_is_not_kept_twice() -> None:
    sent: set[str] = set()
    first = kept_sources("/srv/web", FILES[:2], sent)
    second = kept_sources("/srv/web", FILES, sent)

    # What the builder notes of each is beside it.
    assert 12_288 < total(each.disk for each in first[1:]).likely_bytes < 12_288 + 2 * 400
    assert 30_007_296 < total(each.disk for each in second[1:]).likely_bytes < 30_007_296 + 2 * 400
    assert first[0] == second[0]
    assert kept_sources("/srv/web", FILES, sent) == ()


def test_two_builds_share_large_files_and_directories_with_the_same_in_them() -> None:
    one = {each.key for each in kept_sources("/srv/web", FILES, set())}
    other = {each.key for each in kept_sources("/srv/web", FILES[1:3], set())}
    elsewhere = {each.key for each in kept_sources("/srv/other", FILES, set())}

    assert len(one) == 4
    assert len(one & other) == 3
    assert not one & elsewhere
