from __future__ import annotations

import os
import subprocess
import sys

import pytest
from msgspec.structs import replace

from tonnage.runtime.process_identity import has_died, this_process


def test_this_process_is_alive() -> None:
    owner = this_process()

    assert owner.pid == os.getpid()
    assert not has_died(owner)


def test_a_process_that_ended_has_died() -> None:
    program = "from tonnage.runtime.process_identity import *; o = this_process(); print(o.pid, o.host, o.birth)"
    printed = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    pid, host, *birth = printed.split()

    assert has_died(replace(this_process(), pid=int(pid), host=host, birth="".join(birth)))


@pytest.mark.skipif(not this_process().birth, reason="this machine does not tell when a process started")
def test_another_process_with_the_same_number_is_not_the_same() -> None:
    assert has_died(replace(this_process(), birth="00000000-0000-0000-0000-000000000000/17"))


def test_a_process_of_another_machine_cannot_be_seen_to_have_died() -> None:
    assert not has_died(replace(this_process(), host="elsewhere.example.org", pid=2**22 - 3))


def test_without_a_birth_the_number_alone_decides() -> None:
    assert not has_died(replace(this_process(), birth=""))
    assert has_died(replace(this_process(), birth="", pid=2**22 - 3))


@pytest.mark.skipif(not this_process().birth, reason="this machine does not tell when a process started")
def test_a_process_that_ended_and_that_nobody_took_notice_of_has_died() -> None:
    program = (
        "from tonnage.runtime.process_identity import *; o = this_process(); print(o.pid, o.host, o.birth, flush=True)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as ended:
        assert ended.stdout
        pid, host, birth = ended.stdout.read().split()
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
        assert has_died(replace(this_process(), pid=int(pid), host=host, birth=birth))
