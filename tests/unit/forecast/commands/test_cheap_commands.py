"""The table of cheap commands: each row has a bound that holds, and nothing is cheap because of what it is piped to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tonnage.forecast.commands.cheap_commands import CHEAP
from tonnage.forecast.commands.effects import effects
from tonnage.model.forecast.compression import Content
from tonnage.model.forecast.effects import LoginLogs, Nothing, Opaque, WriteFile
from tonnage.model.forecast.estimate import NOTHING, Grade
from tonnage.sources.dockerfile.parser import read_dockerfile
from tonnage.sources.dockerfile.recipe import recipe

if TYPE_CHECKING:
    from tonnage.model.forecast.effects import AnyEffect

BOUND = 10_000_000
BOUNDED = sorted(name for name, row in CHEAP.items() if row is not None and row.prints is not None)
ENDLESS = sorted(name for name, row in CHEAP.items() if row is not None and row.prints is None and not row.percent)
# What the shell keeps for itself, or what is read before the table is asked.
SHELL = {"", ".", "command", "dpkg", "env", "source"}


def done(line: str) -> list[AnyEffect]:
    [stage] = recipe(read_dockerfile(f"FROM base\nRUN {line}\n"), target="").stages
    return [effect for step in stage.steps for effect in effects(step)]


@pytest.mark.parametrize(
    ("line", "content"),
    [
        ("echo hello > /a", Content.TEXT),
        ("dd if=/dev/zero of=/a bs=1M count=3", Content.ZEROS),
        ("dd if=/dev/urandom of=/a bs=1M count=3", Content.PACKED),
        ("head -c 3000000 /dev/urandom > /a", Content.PACKED),
        ("head -c 3000000 </dev/zero > /a", Content.ZEROS),
        ("head -c 3000000 /usr/bin/python3 > /a", Content.ANY),
        ("fallocate -l 3M /a", Content.ZEROS),
    ],
)
def test_how_far_a_written_file_compresses_follows_from_what_is_written(line: str, content: Content) -> None:
    [found] = done(line)

    assert isinstance(found, WriteFile)
    assert found.source.content is content


@pytest.mark.parametrize("name", CHEAP)
def test_a_row_has_a_bound_from_nothing_to_megabytes(name: str) -> None:
    row = CHEAP[name]
    for size in (row.writes, row.prints) if row is not None else ():
        if size not in {NOTHING, None}:
            assert (size.low_bytes, size.grade) == (0, Grade.DECLARED)
            assert 0 < size.likely_bytes <= 4_096 < size.high_bytes <= BOUND


@pytest.mark.parametrize("name", [name for name in BOUNDED if name not in SHELL and ":" not in name])
def test_a_cheap_command_and_its_output_are_never_unknown(name: str) -> None:
    found = done(f"{name} --some-option > /opt/out")

    assert found
    for effect in found:
        assert isinstance(effect, WriteFile)
        assert effect.source.stands_alone
        assert effect.source.text.high_bytes <= BOUND


@pytest.mark.parametrize("name", ENDLESS)
def test_what_prints_without_an_end_has_no_bound(name: str) -> None:
    command = name.replace(":", " ")
    for line in (f"{command} 1 > /out", f"{command} 1 | tee /out", f"{command} 1 | sort -k 2n > /out"):
        [wrote] = [effect for effect in done(line) if isinstance(effect, WriteFile)]
        assert not wrote.source.known


@pytest.mark.parametrize("name", [name for name, row in CHEAP.items() if row is None])
def test_with_some_words_a_cheap_command_is_no_longer_cheap(name: str) -> None:
    [effect] = done(f"{name.replace(':', ' ')} x")

    assert isinstance(effect, Opaque)


@pytest.mark.parametrize(
    ("line", "high_bytes"),
    [
        ("echo x > f", 2),
        ("printf '%s\\n' a b > f", 18),
        ("echo x | tee f", 2),
        ("cat <<EOF > f\n12345\nEOF", 6),
        ("cat <<EOF | tee -a f\n12345\nEOF", 6),
        ("> f", 0),
        (": > f", 0),
        ("useradd -l -u 100000 x", 1_000_000),
        ("dd if=/dev/urandom of=f bs=1M count=17", 17 * 1024**2),
        ("fallocate -l 5MiB f", 5 * 1024**2),
        ("truncate --size 3kB f", 3_000),
        ("head -c 1k /dev/urandom > f", 1_024),
        ("some-program | head -c 1k > f", 1_024),
    ],
)
def test_a_text_is_bounded_by_its_length(line: str, high_bytes: int) -> None:
    *_, last = done(line)

    assert isinstance(last, WriteFile)
    assert last.source.stands_alone
    assert last.source.text.high_bytes == high_bytes


@pytest.mark.parametrize("line", ["cat x", "ls -l", "echo x > /dev/null", "find / -name x", "gzip --version"])
def test_what_is_printed_to_the_builder_leaves_no_file(line: str) -> None:
    assert all(isinstance(effect, Nothing) for effect in done(line))


@pytest.mark.parametrize("loop", ["while true; do cat big >> f; done", "x || while true; do cat big >> f; done"])
def test_nobody_can_tell_how_often_a_loop_writes(loop: str) -> None:
    assert isinstance(done(loop)[-1], Opaque)


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("useradd -u 100000 x", 100_000),
        ("useradd -mu 100000 x", 100_000),
        ("useradd -rmu100000 -G sudo x", 100_000),
        ("adduser --uid=100000 --disabled-password x", 100_000),
        ("useradd -u $NUMBER x", None),
        ("useradd --uid $(id -u) x", None),
        ("useradd -u 0 -o x", 0),
        ("useradd -lu 100000 x", 0),
        ("useradd --uid 100000 --no-log-init x", 0),
        ("useradd -Gusers -c '-u 7' x", 0),
        ("useradd x", 0),
    ],
)
def test_the_number_of_an_account_says_how_long_the_logs_of_logins_become(line: str, number: int | None) -> None:
    logs = [each.count_bytes for each in done(line) if isinstance(each, LoginLogs)]

    # Source: 292 bytes of struct lastlog and 32 of struct faillog for each number.
    assert logs == ([] if number == 0 else [None if number is None else number * (292 + 32)])
