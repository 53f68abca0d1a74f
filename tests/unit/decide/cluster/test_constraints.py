from __future__ import annotations

import pytest
from tests.unit.decide.cluster.harbours import node

from tonnage.decide.cluster.constraints import read_constraint

HERE = node(
    "Worker-1", role="worker", ip="10.0.0.7", labels={"disk": "SSD", "zone.a": "1"}, engine_labels={"gpu": "a100"}
)


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("node.id==id-worker-1", True),
        ("node.id!=other", True),
        ("node.hostname == worker-1", True),
        ("NODE.HOSTNAME==WORKER-1", True),
        ("node.role==manager", False),
        ("node.role!=Worker", False),
        ("node.platform.os==linux", True),
        # Swarm compares the word of the engine here: two names of one architecture are two words.
        ("node.platform.arch==amd64", False),
        ("node.platform.arch==x86_64", True),
        ("node.labels.disk==ssd", True),
        # The name of a label is compared as it is written.
        ("node.labels.Disk==ssd", False),
        ("node.labels.none!=ssd", True),
        ("node.labels.zone.a==1", True),
        ("engine.labels.gpu==A100", True),
        ("engine.labels.gpu!=a100", False),
        ("node.ip==10.0.0.7", True),
        ("node.ip==10.0.0.0/8", True),
        ("node.ip!=10.0.0.0/8", False),
        ("node.ip==nonsense", False),
        ("node.ip!=nonsense", False),
    ],
)
def test_a_constraint_is_compared_as_swarm_does(text: str, *, met: bool) -> None:
    constraint = read_constraint(text)

    assert constraint is not None
    assert constraint.met(HERE) is met


@pytest.mark.parametrize(
    "text",
    [
        "", "==", "node.id", "node.id=x", "node.id>x", "node.id==", "-x==y", "node.ram==4", "node.labels.==x",
        "node.labels.a==x;y", "node.labels.a==x{y}", "node.labels.a\nb==x", "engine.labels==x", "node.labels.ä==x",
    ],
)  # fmt: skip
def test_what_swarm_refuses_or_meets_nowhere_is_no_constraint(text: str) -> None:
    assert read_constraint(text) is None


def test_of_two_operators_the_equal_one_splits_as_in_swarm() -> None:
    assert read_constraint("node.labels.a!=b==c") is None
    assert str(read_constraint("node.labels.a != b")) == "node.labels.a!=b"
