"""What is in the secrets and configs of a service belongs to its configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace
from tests.unit.decide import observed

from tonnage.decide.deploy.changes import config_digest
from tonnage.flows.needed import with_contents
from tonnage.wiring.ports import Ports

if TYPE_CHECKING:
    from pathlib import Path

    from tonnage.model.stack import ComposeMapping, Stack

CONFIG = {"secrets": [{"source": "one"}], "configs": [{"source": "two"}]}


def stack(one: ComposeMapping, two: ComposeMapping, **values: str) -> Stack:
    made = observed.stack(observed.service(config=CONFIG), observed.service("other"))
    return replace(made, shared={"secrets": {"one": one}, "configs": {"two": two}}, values=tuple(values.items()))


def digests(of: Stack) -> list[str]:
    return [config_digest(each) for each in with_contents(Ports({}), of).services]


def test_another_content_is_another_configuration_of_the_services_that_have_it(tmp_path: Path) -> None:
    file = tmp_path / "one"
    file.write_text("1")
    first = digests(stack({"file": str(file)}, {"content": "2"}))
    assert digests(stack({"file": str(file)}, {"content": "2"})) == first
    file.write_text("11")
    second = digests(stack({"file": str(file)}, {"content": "2"}))
    third = digests(stack({"file": str(file)}, {"content": "22"}))
    fourth = digests(stack({"file": str(file)}, {"environment": "V"}, V="22"))
    fifth = digests(stack({"file": str(file)}, {"environment": "V"}, V="3"))
    assert len({each[0] for each in (first, second, third, fifth)}) == 4
    # Where the same content comes from is nothing that a container sees.
    assert fourth == third
    assert {each[1] for each in (first, second, third, fourth, fifth)} == {config_digest(observed.service("other"))}


def test_what_cannot_be_read_is_left_out_and_services_without_such_files_are_as_they_were(tmp_path: Path) -> None:
    absent = stack({"file": str(tmp_path / "absent")}, {"environment": "NOT_SET"})
    assert digests(absent) == [config_digest(each) for each in absent.services]


def test_what_is_sent_to_another_machine_is_read_here(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("1")
    here = stack({"file": str(tmp_path / "one")}, {})
    there = replace(
        stack({"file": "/opt/shop/one"}, {}), directory=str(tmp_path), place="/opt/shop", sent=(("one", True),)
    )
    assert digests(there) == digests(here) != [config_digest(each) for each in here.services]
