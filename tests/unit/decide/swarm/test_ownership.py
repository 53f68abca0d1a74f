from __future__ import annotations

import pytest

from tonnage.decide.swarm.ownership import refuse_stack_of_others
from tonnage.errors import UsageError
from tonnage.model.swarm import StackVersion

OURS = StackVersion(number=1, config_id="c", good=False, document={"services": {}})


def test_a_stack_that_others_gave_to_swarm_is_refused_with_its_services() -> None:
    with pytest.raises(UsageError, match="a stack shop that tonnage did not deploy") as refused:
        refuse_stack_of_others("shop", [f"s{number}" for number in range(7)], ())
    assert "s0, s1, s2, s3, s4 and 2 more" in refused.value.why
    assert "docker stack rm shop" in refused.value.todo


def test_one_that_a_deploy_of_ours_began_is_ours_and_so_is_one_that_is_not_there() -> None:
    refuse_stack_of_others("shop", ["web"], (OURS,))
    refuse_stack_of_others("shop", [], ())
