from __future__ import annotations

from tonnage.adapters.guard.build_steps import FreezerMount, freezer_mounts, group_directory
from tonnage.adapters.guard.step_groups import run_commands, without_blanks

STEP = "p3a81ro3tnw2qv5jrj5w1xq0k"
FIRST = """\
25 20 0:22 / /sys rw shared:7 - sysfs sysfs rw
30 25 0:26 / /sys/fs/cgroup/unified rw shared:10 - cgroup2 cgroup2 rw,nsdelegate
37 25 0:33 / /sys/fs/cgroup/freezer rw shared:15 - cgroup cgroup rw,freezer
38 25 0:34 / /sys/fs/cgroup/memory rw shared:16 - cgroup cgroup rw,memory
"""
SECOND = "30 25 0:26 / /sys/fs/cgroup rw shared:10 - cgroup2 cgroup2 rw,nsdelegate\n"


def test_the_freezer_of_the_first_version_comes_before_the_second() -> None:
    assert freezer_mounts(FIRST) == (
        FreezerMount("/sys/fs/cgroup/freezer", "/", 1),
        FreezerMount("/sys/fs/cgroup/unified", "/", 2),
    )
    assert freezer_mounts(SECOND) == (FreezerMount("/sys/fs/cgroup", "/", 2),)
    assert freezer_mounts("nothing of this kind") == ()


def test_a_group_is_one_of_a_step_alone() -> None:
    first, second = freezer_mounts(FIRST), freezer_mounts(SECOND)
    told = f"7:memory:/docker/buildkit/{STEP}\n5:freezer:/docker/buildkit/{STEP}\n0::/\n"
    assert group_directory(told, first, STEP) == f"/sys/fs/cgroup/freezer/docker/buildkit/{STEP}"
    assert group_directory(f"0::/docker/buildkit/{STEP}\n", second, STEP) == f"/sys/fs/cgroup/docker/buildkit/{STEP}"
    by_systemd = f"0::/system.slice:buildkit:{STEP}\n"
    assert group_directory(by_systemd, second, STEP) == f"/sys/fs/cgroup/system.slice:buildkit:{STEP}"


def test_what_is_not_the_steps_alone_or_not_to_be_seen_is_no_group() -> None:
    second = freezer_mounts(SECOND)
    for path in ("/", "/docker/buildkit", "/user.slice/session-1.scope", f"/docker/x{STEP}", f"/../{STEP}"):
        assert group_directory(f"0::{path}\n", second, STEP) == ""
    elsewhere = (FreezerMount("/sys/fs/cgroup", "/docker/another", 2),)
    assert group_directory(f"0::/docker/buildkit/{STEP}\n", elsewhere, STEP) == ""
    assert group_directory("nonsense", second, STEP) == ""
    assert group_directory(f"0::/docker/another/{STEP}\n", elsewhere, STEP) == f"/sys/fs/cgroup/{STEP}"


def test_commands_are_those_that_steps_show() -> None:
    text = """\
FROM debian AS one
RUN apt-get update && \\
    # a remark
    apt-get install -y git
RUN --mount=type=cache,target=/root/.cache pip install torch
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
RUN curl example.org | tar x
RUN ["pip", "install", "numpy"]
FROM debian
RUN <<END
echo one
echo two
END
"""
    assert run_commands(text) == {
        without_blanks(each)
        for each in (
            ("/bin/sh", "-c", "apt-get update &&     apt-get install -y git"),
            ("/bin/sh", "-c", "pip install torch"),
            ("/bin/bash", "-o", "pipefail", "-c", "curl example.org | tar x"),
            ("pip", "install", "numpy"),
            ("/bin/sh", "-c", "<<END\necho one\necho two\nEND"),
        )
    }
    assert without_blanks(("a", "b")) != without_blanks(("ab",))
