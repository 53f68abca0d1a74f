from __future__ import annotations

import pytest

from tonnage.errors import UsageError
from tonnage.model.deploy.policy import Cleanup, Policy
from tonnage.model.stack import Place, Stack
from tonnage.runtime.settings import policy, rank

STACK = Stack(
    name="hello",
    directory="/hello",
    files=("/hello/compose.yaml",),
    services=(),
    settings=(("keep-free", "2GB"), ("cleanup-after", "false")),
    settings_places=(
        ("keep-free", Place("/hello/compose.yaml", 2)),
        ("cleanup-after", Place("/hello/compose.yaml", 3)),
    ),
)
BARE = Stack(name="hello", directory="/hello", files=(), services=())


def shown(stack: Stack, environment: dict[str, str], flags: dict[str, str | None]) -> dict[str, tuple[str, str]]:
    return {entry.key: (entry.value, entry.origin) for entry in rank(stack, environment=environment, flags=flags)}


def test_flags_win_over_the_environment_which_wins_over_the_file_which_wins_over_the_default() -> None:
    environment = {"TONNAGE_KEEP_FREE": "3GB", "TONNAGE_KEEP_PREVIOUS": "no"}

    found = shown(STACK, environment, {"keep-free": "5GB", "cleanup-after": None})

    assert found["keep-free"] == ("5GB", "flag (--keep-free)")
    assert found["keep-previous"] == ("no", "environment (TONNAGE_KEEP_PREVIOUS)")
    assert found["cleanup-after"] == ("false", "x-tonnage (/hello/compose.yaml:3)")
    assert found["docker"] == ("found by capability", "default")


def test_an_empty_variable_counts_as_not_set() -> None:
    assert shown(BARE, {"TONNAGE_KEEP_FREE": ""}, {})["keep-free"][1] == "default"


def test_names_of_flags_are_taken_as_python_and_as_the_command_line_write_them() -> None:
    found = shown(BARE, {}, {"keep_previous": "false", "--cleanup-after": "true"})

    assert found["keep-previous"] == ("false", "flag (--keep-previous)")
    assert found["cleanup-after"] == ("true", "flag (--cleanup-after)")


def test_tools_and_state_are_listed_with_their_origin() -> None:
    found = shown(BARE, {"TONNAGE_DOCKER": "/usr/bin/docker", "TONNAGE_STATE_DIR": "/state"}, {})

    assert found["docker"] == ("/usr/bin/docker", "environment (TONNAGE_DOCKER)")
    assert found["state-dir"] == ("/state", "environment (TONNAGE_STATE_DIR)")


def test_settings_become_a_policy() -> None:
    settings = rank(STACK, environment={"TONNAGE_KEEP_PREVIOUS": "off"}, flags={})

    assert policy(settings) == Policy(keep_free_bytes=2_000_000_000, keep_versions=0, cleanup_after=False)


def test_how_many_images_are_made_at_once_is_a_whole_number_that_is_not_0() -> None:
    assert policy(rank(BARE, environment={"TONNAGE_PARALLEL": "3"}, flags={})).parallel == 3
    assert policy(rank(BARE, environment={"TONNAGE_PARALLEL": "3"}, flags={"parallel": "1"})).parallel == 1
    for text in ("0", "65", "-1", "3.0", "all", "9" * 5000):
        with pytest.raises(UsageError, match="parallel from flag"):
            policy(rank(BARE, environment={}, flags={"parallel": text}))


def test_defaults_become_the_default_policy() -> None:
    assert policy(rank(BARE, environment={}, flags={})) == Policy()


@pytest.mark.parametrize(
    ("environment", "flags", "message"),
    [
        ({"TONNAGE_KEEP_FREE": "10G"}, {}, "keep-free from environment (TONNAGE_KEEP_FREE): '10G' is ambiguous"),
        ({}, {"assume-unknown": "lots"}, "assume-unknown from flag (--assume): 'lots' is not a size"),
        ({}, {"keep-free": "lots"}, "keep-free from flag (--keep-free): 'lots' is not a size"),
        (
            {},
            {"keep-previous": "maybe"},
            "keep-previous from flag (--keep-previous): 'maybe' is neither true",
        ),
    ],
)
def test_a_wrong_value_is_refused_and_its_origin_named(
    environment: dict[str, str], flags: dict[str, str | None], message: str
) -> None:
    with pytest.raises(UsageError) as refused:
        policy(rank(BARE, environment=environment, flags=flags))

    assert str(refused.value).startswith(message)


def test_when_build_cache_goes_is_one_of_two_words() -> None:
    assert policy(rank(BARE, environment={}, flags={})).cleanup is Cleanup.AUTO
    assert policy(rank(BARE, environment={"TONNAGE_CLEANUP": "Always"}, flags={})).cleanup is Cleanup.ALWAYS
    with pytest.raises(UsageError, match="'never' is neither auto nor always"):
        policy(rank(BARE, environment={"TONNAGE_CLEANUP": "never"}, flags={}))


def test_patterns_of_proxies_are_words_between_commas_or_blanks() -> None:
    settings = rank(BARE, environment={"TONNAGE_PROXY_LABELS": "com.example.*, gate.?  com.example.*"}, flags={})

    assert policy(settings).proxy_labels == ("com.example.*", "gate.?")


def test_builds_pause_at_the_reserve_unless_it_is_said() -> None:
    assert policy(rank(BARE, environment={}, flags={})).guard == "pause"
    assert policy(rank(BARE, environment={"TONNAGE_GUARD": "Stop"}, flags={})).guard == "stop"
    assert policy(rank(BARE, environment={"TONNAGE_GUARD": "hard"}, flags={})).guard == "hard"
    with pytest.raises(UsageError, match="none of pause, hard, stop"):
        policy(rank(BARE, environment={"TONNAGE_GUARD": "soft"}, flags={}))
