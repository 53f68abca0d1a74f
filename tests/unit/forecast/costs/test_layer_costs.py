from __future__ import annotations

from tonnage.forecast.costs.copied_image_files import copied_paths
from tonnage.forecast.costs.image_paths import covers, covers_part, moved
from tonnage.forecast.costs.layer_costs import layer_cost
from tonnage.model.forecast.debian_package import UnneededPackages
from tonnage.model.forecast.estimate import NOTHING, Grade, assumed, exactly
from tonnage.model.forecast.sized_effects import Aside, SizedEffect, WrittenBytes


def piece(name: str, place: str, count_bytes: int) -> WrittenBytes:
    return WrittenBytes(name=name, place=place, image=exactly(count_bytes), disk=exactly(count_bytes))


CACHE = piece("cache", "/root/.cache/pip", 13_000_027)
WHEEL = piece("numpy", "/usr/local/lib/python3.11/site-packages", 63_000_031)


def test_what_is_removed_in_the_same_instruction_was_only_needed_on_the_way() -> None:
    cost = layer_cost((SizedEffect(writes=(WHEEL, CACHE)), SizedEffect(removes=("/root/.cache/*",))))

    assert cost.disk == exactly(63_000_031)
    assert cost.transient == exactly(13_000_027)


def test_what_is_removed_by_a_later_instruction_stays() -> None:
    first = layer_cost((SizedEffect(writes=(CACHE,)),))
    later = layer_cost((SizedEffect(removes=("/root/.cache",)),), first.visible)

    assert first.disk == exactly(13_000_027)
    assert later.disk == NOTHING
    assert later.visible == ()


def test_another_owner_writes_files_of_earlier_layers_once_more() -> None:
    first = layer_cost((SizedEffect(writes=(piece("data", "/srv/data", 30_000_011),)),))

    assert layer_cost((SizedEffect(rewrites=("/srv",)),), first.visible).disk == exactly(30_000_011)
    assert layer_cost((SizedEffect(rewrites=("/opt",)),), first.visible).disk == NOTHING


def test_another_owner_in_the_same_instruction_costs_nothing() -> None:
    data = piece("data", "/srv/data", 30_000_011)

    assert layer_cost((SizedEffect(writes=(data,)), SizedEffect(rewrites=("/srv",)))).disk == exactly(30_000_011)


def test_the_worst_moment_is_when_most_is_there() -> None:
    one = SizedEffect(writes=(piece("one", "/a", 101),), transient=exactly(1009))
    two = SizedEffect(writes=(piece("two", "/b", 503),), transient=exactly(7))

    assert layer_cost((one, two)).transient == exactly(101 + 1009 - 101 - 503)


def test_a_cache_mount_is_no_part_of_the_layer() -> None:
    cost = layer_cost((SizedEffect(writes=(WHEEL,), asides=(Aside(key="cache:pip", name="cache", disk=exactly(17)),)),))

    assert cost.disk == exactly(63_000_031)
    assert [aside.key for aside in cost.asides] == ["cache:pip"]
    assert cost.transient == NOTHING


def test_moved_within_a_layer_is_there_once_and_out_of_an_earlier_one_twice() -> None:
    data = piece("data", "/srv/data", 30_000_011)
    moves = SizedEffect(moves=(("/srv/data", "/opt/data"),))

    assert layer_cost((SizedEffect(writes=(data,)), moves)).disk == exactly(30_000_011)
    assert layer_cost((moves,), (data,)).disk == exactly(30_000_011)


def test_a_stage_gives_what_was_written_below_the_path() -> None:
    [found] = copied_paths(
        ("/venv",), "/venv", (piece("numpy", "/venv/lib", 63_000_031), CACHE), exactly(7), "packages"
    )

    assert (found.name, found.place, found.disk) == ("numpy", "/venv/lib", exactly(63_000_031))


def test_a_part_of_what_was_written_is_at_most_the_whole() -> None:
    [found] = copied_paths(("/venv/lib/torch",), "/torch", (piece("wheels", "/venv/lib", 503),), NOTHING, "packages")

    assert (found.disk.low_bytes, found.disk.high_bytes, found.disk.grade) == (0, 503, Grade.DECLARED)


def test_of_a_base_image_it_is_at_most_the_whole_and_called_unknown() -> None:
    [found] = copied_paths(("/usr/bin/uv",), "/bin", (), exactly(47_000_003), "uv")

    assert (found.disk.low_bytes, found.disk.high_bytes, found.disk.grade) == (0, 47_000_003, Grade.UNKNOWN)


def test_what_nobody_knows_where_it_was_written_may_be_what_is_taken() -> None:
    made = WrittenBytes(name="make", image=assumed(503), disk=assumed(503))

    found = copied_paths(("/out",), "/out", (made,), NOTHING, "build")

    assert found[0].disk.high_bytes == 503


def test_places_are_covered_by_paths_and_patterns() -> None:
    assert covers("/var/lib/apt/lists/*", "/var/lib/apt/lists")
    assert covers("/home/*/.cache", "/home/me/.cache/pip")
    assert not covers("/srv/data", "/srv")
    assert covers_part("/srv/data/one", "/srv/data")
    assert not covers("", "/srv")
    assert moved("/venv/lib/x", "/venv", "/opt/venv/") == "/opt/venv/lib/x"


def test_what_is_written_on_a_mount_is_no_part_of_the_layer() -> None:
    effects = (
        SizedEffect(writes=(piece("kept", "/cache/kept", 503), piece("lost", "/tmp/lost", 101), WHEEL)),
        SizedEffect(file_copies=(("/cache/kept", "/srv/copy"),)),
    )
    cost = layer_cost(effects, beside=(("/cache", "wheels"), ("/tmp", "")))

    assert cost.disk == exactly(63_000_031 + 503)
    assert [(aside.key, aside.disk) for aside in cost.asides] == [("cache:wheels\0kept", exactly(503))]
    assert cost.transient == exactly(101)


def test_packages_that_are_purged_go_off_and_what_came_for_them_may() -> None:
    def package(name: str, count_bytes: int, because: str = "") -> WrittenBytes:
        size = exactly(count_bytes)
        return WrittenBytes(name=f"{name} 1", place="/usr/share", image=size, disk=size, package=name, because=because)

    came = SizedEffect(writes=(package("gcc", 7_919), package("cpp", 104_729, "gcc"), package("curl", 1_009)))
    purged = layer_cost([came, SizedEffect(purges=("gcc",))]).image
    cleaned = layer_cost([came, SizedEffect(unneeded=UnneededPackages(every=True))]).image
    needed = layer_cost([came, SizedEffect(unneeded=UnneededPackages())]).image

    assert (purged.low_bytes, purged.likely_bytes, purged.high_bytes) == (1_009, 1_009, 105_738)
    assert purged.grade is Grade.DECLARED
    assert (cleaned.low_bytes, cleaned.high_bytes) == (0, 113_657)
    assert needed == exactly(113_657)
    assert layer_cost([SizedEffect(purges=("gcc",))], earlier=came.writes).image.high_bytes == 0
