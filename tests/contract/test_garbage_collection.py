"""What an engine is known to remove by itself, against what the engine tells. No simulator: it removes nothing so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tonnage.adapters.docker.facts import DockerFacts
from tonnage.adapters.docker.garbage_collection import told_rules
from tonnage.adapters.docker.tools import Tools, aimed_at
from tonnage.decide.reclaim.garbage_collection import THREE_LIMITS, modelled_policy
from tonnage.decide.reports.known_engines import version_of
from tonnage.model.reclaim.garbage_collection import CollectionSettings

if TYPE_CHECKING:
    from tests.real_engine import RealEngine


@pytest.mark.engine
@pytest.mark.each_engine
def test_the_rules_that_the_builder_tells_are_those_that_the_version_is_known_for(engine: RealEngine) -> None:
    facts = DockerFacts(engine.connection)
    version = facts.engine().version
    told = told_rules(
        Tools(engine.environment).build,
        aimed_at(engine.connection, engine.environment),
        three_limits=version_of(version) >= THREE_LIMITS,
    )
    if told is None:
        pytest.skip("this engine has no buildx, which would tell")

    disk = next(each for each in facts.filesystems() if "data-root" in each.roles)
    known = modelled_policy(version, disk.size_bytes, CollectionSettings()).rules
    assert [(each.filters, each.unused_s, each.every_kind) for each in told] == [
        (each.filters, each.unused_s, each.every_kind) for each in known
    ]
    for one, other in zip(told, known, strict=True):
        figures = [one.reserved_bytes, one.max_used_bytes, one.min_free_bytes]
        # buildx writes four figures.
        assert figures == pytest.approx([other.reserved_bytes, other.max_used_bytes, other.min_free_bytes], rel=0.001)
