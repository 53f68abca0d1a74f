from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tonnage.decide.swarm.ownership import refuse_stack_of_others
from tonnage.errors import UsageError
from tonnage.model.stack import Service, Stack
from tonnage.model.swarm import StackVersion

if TYPE_CHECKING:
    from collections.abc import Collection


def version(origin: str = "", number: int = 1) -> StackVersion:
    return StackVersion(number=number, config_id="c", good=False, document={"services": {}}, origin=origin)


def refuse(running: Collection[str], *versions: StackVersion, origin: str = "", adopt: bool = False) -> None:
    services = (Service(name="web", image="busybox"), Service(name="db", image="busybox"))
    stack = Stack(name="shop", directory="/srv/shop", files=(), services=services, origin=origin)
    refuse_stack_of_others(stack, running, versions, adopt=adopt)


def test_a_stack_that_others_gave_to_swarm_is_refused_with_its_services() -> None:
    for adopt in (False, True):
        with pytest.raises(UsageError, match="a stack shop that tonnage did not deploy") as refused:
            refuse([f"s{number}" for number in range(7)], adopt=adopt)
        assert "s0, s1, s2, s3, s4 and 2 more" in refused.value.why
        assert "docker stack rm shop" in refused.value.todo


def test_one_that_a_deploy_of_ours_began_is_ours_and_so_is_one_that_is_not_there() -> None:
    refuse(["web"], version())
    refuse(["web", "old"], version("here"))
    refuse(["web"], version(), origin="here")
    refuse([])


def test_another_stack_of_this_name_is_refused_unless_it_is_to_be_taken_over() -> None:
    with pytest.raises(UsageError, match="the stack shop in the Swarm is another one") as refused:
        refuse(["api", "queue"], version())
    assert refused.value.why.startswith("None of its services is in this file. Its services: api, queue.")
    assert "tonnage deploy --adopt" in refused.value.todo
    with pytest.raises(UsageError, match="the stack shop in the Swarm is another one") as refused:
        refuse(["web"], version("there", 2), version("", 1), origin="here")
    assert refused.value.why.startswith("It was deployed from another repository.")
    refuse(["api", "queue"], version(), adopt=True)
    refuse(["web"], version("there"), origin="here", adopt=True)


def test_one_of_the_same_repository_is_the_same_whatever_its_services_are_called_now() -> None:
    refuse(["api"], version("there", 3), version("here", 2), origin="here")
