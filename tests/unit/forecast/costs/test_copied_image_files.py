from __future__ import annotations

import pytest

from tonnage.forecast.costs.layer_costs import layer_cost
from tonnage.model.forecast.estimate import NOTHING, Grade, assumed, exactly
from tonnage.model.forecast.sized_effects import SizedEffect, WrittenBytes

GROUND = exactly(120_000_007)
FILES = (("/app/start.sh", 811, 4096), ("/app/data/weights", 30_000_011, 30_003_200), ("/app/data", 0, 4096))
APP = WrittenBytes(name=". to /app", place="/app", image=exactly(30_000_822), disk=exactly(30_011_392), files=FILES)


def test_one_file_of_a_copied_directory_is_written_once_more_alone() -> None:
    cost = layer_cost((SizedEffect(alters=("/app/start.sh",)),), (APP,), GROUND)

    assert (cost.image, cost.disk) == (exactly(811), exactly(4096))


def test_a_directory_that_changes_its_owner_alone_writes_none_of_its_files() -> None:
    assert layer_cost((SizedEffect(alters=("/app",)),), (APP,), GROUND).image == NOTHING


def test_a_part_of_a_copied_directory_is_written_by_its_files() -> None:
    for effect in (SizedEffect(rewrites=("/app/data",)), SizedEffect(copies=(("/app/data", "/data"),))):
        assert layer_cost((effect,), (APP,), GROUND).image == exactly(30_000_011)


def test_what_was_copied_is_known_by_its_files_at_its_new_place() -> None:
    copied = layer_cost((SizedEffect(copies=(("/app", "/srv/app"),)),), (APP,), GROUND)

    again = layer_cost((SizedEffect(alters=("/srv/app/data/*",)),), copied.visible, GROUND)

    assert again.image == exactly(30_000_011)


@pytest.mark.parametrize(
    "effect",
    [
        SizedEffect(copies=(("/usr/lib", "/copy"),)),
        SizedEffect(rewrites=("/opt/conda",)),
        SizedEffect(moves=(("/opt/conda", "/srv/conda"),)),
        SizedEffect(rewrites=("/srv-of-the-base",)),
    ],
    ids=("copied", "another owner", "moved", "a directory of the user's own base"),
)
def test_what_lies_in_the_image_below_is_never_nothing(effect: SizedEffect) -> None:
    cost = layer_cost((effect,), (), GROUND)

    assert cost.image.high_bytes == GROUND.high_bytes
    assert cost.image.grade is Grade.UNKNOWN


def test_a_settings_file_of_the_image_below_is_small() -> None:
    for effect in (
        SizedEffect(alters=("/etc/apt/sources.list",)),
        SizedEffect(file_copies=(("/usr/share/zoneinfo/Europe/Berlin", "/etc/localtime"),)),
        SizedEffect(rewrites=("/var/log/nginx",)),
    ):
        cost = layer_cost((effect,), (), GROUND)
        assert 0 < cost.image.likely_bytes <= 4096 < cost.image.high_bytes <= 10_000_000
        assert cost.image.grade is Grade.DECLARED


def test_a_program_of_the_image_below_may_be_large() -> None:
    cost = layer_cost((SizedEffect(alters=("/usr/local/bin/node",)),), (), GROUND)

    assert cost.image.likely_bytes <= 4096
    assert cost.image.high_bytes >= 100_000_000


def test_what_an_unread_command_wrote_may_be_what_is_copied() -> None:
    made = WrittenBytes(name="make", image=assumed(500_000_000), disk=assumed(500_000_000))

    cost = layer_cost((SizedEffect(file_copies=(("/src/out/app", "/usr/local/bin/app"),)),), (made,), GROUND)

    assert cost.image.high_bytes == 500_000_000
    assert cost.image.grade is Grade.UNKNOWN


def test_on_an_empty_image_nothing_is_there_to_be_changed() -> None:
    assert layer_cost((SizedEffect(rewrites=("/opt",), alters=("/x",)),)).image == NOTHING


def test_a_copy_under_a_condition_may_not_happen() -> None:
    cost = layer_cost((SizedEffect(copies=(("/app", "/srv"),), certain=False),), (APP,), GROUND)

    assert (cost.image.low_bytes, cost.image.high_bytes) == (0, 30_000_822)
    assert cost.image.grade is Grade.UNKNOWN


def test_what_an_unread_command_wrote_may_be_below_what_gets_another_owner() -> None:
    made = WrittenBytes(name="npm ci", image=assumed(500_000_000), disk=assumed(500_000_000))

    cost = layer_cost((SizedEffect(rewrites=("/app",)),), (APP, made), GROUND)

    assert cost.image.low_bytes == 30_000_822
    assert cost.image.high_bytes == 530_000_822


def test_what_is_written_twice_is_seen_once() -> None:
    owner = SizedEffect(rewrites=("/app",))
    first = layer_cost((owner,), (APP,), GROUND)
    one_file = layer_cost((SizedEffect(alters=("/app/start.sh",)),), first.visible, GROUND)

    again = layer_cost((owner,), one_file.visible, GROUND)

    assert one_file.image == exactly(811)
    assert again.image == exactly(30_000_822)
