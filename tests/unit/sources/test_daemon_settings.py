from __future__ import annotations

import json

import pytest

from tonnage.errors import UsageError
from tonnage.model.reclaim.garbage_collection import CollectionRule, CollectionSettings
from tonnage.sources.daemon_settings import collection_block, collection_settings, with_collection


def read(**gc: object) -> CollectionSettings:
    return collection_settings(json.dumps({"builder": {"gc": gc}}), "daemon.json")


@pytest.mark.parametrize("text", ["", "{}", '{"builder": null}', '{"builder": {"gc": []}}', '{"data-root": "/srv"}'])
def test_where_nothing_is_written_nothing_is_set(text: str) -> None:
    assert collection_settings(text, "daemon.json") == CollectionSettings()


def test_sizes_are_two_based_whatever_their_unit_is_called() -> None:
    read_sizes = read(enabled=True, defaultReservedSpace="2GB", defaultMaxUsedSpace="1.5 gib", defaultMinFreeSpace="7")

    assert read_sizes == CollectionSettings(
        enabled=True, reserved_bytes=2 * 2**30, max_used_bytes=3 * 2**29, min_free_bytes=7
    )
    assert read(defaultKeepStorage="30kB").reserved_bytes == 30 * 1024
    assert read(defaultKeepStorage="much").reserved_bytes == 0


def test_keys_are_told_apart_without_regard_to_case() -> None:
    text = '{"Builder": {"GC": {"Enabled": false, "defaultkeepstorage": "3MB"}}}'
    assert collection_settings(text, "daemon.json") == CollectionSettings(enabled=False, reserved_bytes=3 * 2**20)


def test_rules_of_ones_own_stand_in_place_of_the_default_ones() -> None:
    policy = [
        {"keepStorage": "1GB", "filter": ["unused-for=48h", "type=source.local"]},
        {"maxUsedSpace": "2GB", "all": True, "filter": ["until=broken"]},
        "nothing",
    ]
    assert read(policy=policy).rules == (
        CollectionRule(filters=("type==source.local",), unused_s=48 * 3600, reserved_bytes=2**30),
        CollectionRule(max_used_bytes=2**31, every_kind=True),
    )


@pytest.mark.parametrize("text", ["{", "[]", '"x"', "[" * 100_000])
def test_what_is_no_object_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        collection_settings(text, "/etc/docker/daemon.json")
    assert caught.value.place == "/etc/docker/daemon.json"


def test_a_block_is_put_in_and_all_else_stays() -> None:
    made = CollectionSettings(
        enabled=True, reserved_bytes=3_000_000_007, max_used_bytes=9_000_000_011, min_free_bytes=13
    )
    before = '{"data-root": "/srv/d", "Builder": {"Entitlements": {"network-host": true}, "GC": {"policy": []}}}'

    after = with_collection(before, collection_block(made, three_limits=True), "daemon.json")
    assert json.loads(after) == {
        "data-root": "/srv/d",
        "Builder": {
            "Entitlements": {"network-host": True},
            "GC": {
                "enabled": True,
                "defaultReservedSpace": "3000000007B",
                "defaultMaxUsedSpace": "9000000011B",
                "defaultMinFreeSpace": "13B",
            },
        },
    }
    assert collection_settings(after, "daemon.json") == made


def test_an_engine_with_one_limit_gets_that_one() -> None:
    made = CollectionSettings(enabled=True, reserved_bytes=3_000_000_007)
    assert collection_block(made, three_limits=False) == {"enabled": True, "defaultKeepStorage": "3000000007B"}
