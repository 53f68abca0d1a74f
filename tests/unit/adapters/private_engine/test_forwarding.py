"""The setting is tried in a network namespace, which has one of its own, so that the machine's is not touched."""

from __future__ import annotations

import shlex
import subprocess
import sys

import pytest

pytestmark = pytest.mark.engine

APART = "mount -t tmpfs none /run && mount -t sysfs none /sys && exec"
MADE = """
import subprocess
from pathlib import Path
from tonnage.adapters.private_engine.network import give_forwarding_back, switch_on_forwarding

def on():
    return Path("/proc/sys/net/ipv4/ip_forward").read_text().strip() == "1"

def run(line):
    subprocess.run(line.split(), check=True)

Path("/proc/sys/net/ipv4/ip_forward").write_text("{before}")
run("ip link add tng-one type bridge")
switch_on_forwarding()
assert on()
"""


def check(script: str, *, before: str = "0") -> None:
    command = f"{APART} {shlex.quote(sys.executable)} -c '{MADE.replace('{before}', before)}{script}'"
    ended = subprocess.run(
        ["unshare", "--net", "--mount", "sh", "-c", command], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr


def test_the_setting_is_given_back_after_the_last_engine_of_all_directories() -> None:
    check("""
run("ip link add tng-two type bridge")
switch_on_forwarding()
run("ip link delete tng-one")
give_forwarding_back()
assert on(), "the second engine has lost its network"
run("ip link delete tng-two")
give_forwarding_back()
assert not on()
assert not list(Path("/run").glob("tonnage*"))
""")


def test_the_setting_stays_on_for_an_engine_of_the_user_that_was_started_in_the_meantime() -> None:
    check("""
run("iptables -t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE")
run("ip link delete tng-one")
give_forwarding_back()
assert on()
assert not list(Path("/run").glob("tonnage*"))
""")


def test_a_setting_that_was_on_before_stays_on() -> None:
    check(
        """
run("ip link delete tng-one")
give_forwarding_back()
assert on()
""",
        before="1",
    )
