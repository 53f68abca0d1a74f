from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tonnage.errors import UsageError
from tonnage.sources.compose.keys import SERVICE
from tonnage.sources.compose.nodes import plain
from tonnage.sources.compose.scalars import Mode, Number, PathBase, PathText, Size, Span, Text, Truth, Whole
from tonnage.sources.compose.yaml_text import read_yaml

if TYPE_CHECKING:
    from tonnage.sources.compose.scalars import Shape

GROUND = PathBase("/project/here", "/home/me")


@pytest.mark.parametrize(
    ("shape", "text", "expected"),
    [
        (Text(), "1.10", "1.1"),
        (Text(), "true", "true"),
        (Text(), "~", None),
        (Whole(), "'7'", 7),
        (Whole(words=(("all", -1),)), "all", -1),
        (Number(), "'0.50'", 0.5),
        (Number(), "2.0", 2),
        (Truth(), "'yes'", True),
        (Truth(), "off", False),
        (Span(), "90s", "1m30s"),
        (Span(), "1500ms", "1s500ms"),
        (Span(), "0", "0s"),
        (Size(), "512m", "536870912"),
        (Size(), "1.5gb", "1610612736"),
        (Size(), "2KiB", "2048"),
        (Size(), "1048573", "1048573"),
        (Size(), "-1", "-1"),
        (Mode(), "0440", "0440"),
        (Mode(), "'0440'", "0440"),
        (PathText(), "a/../b/./c/", "/project/here/b/c"),
        (PathText(), "../../../up", "/up"),
        (PathText(), "~/x", "/home/me/x"),
        (PathText(), "~x", "/project/here/~x"),
    ],
)
def test_a_scalar_is_read_into_its_one_form(shape: Shape, text: str, expected: object) -> None:
    assert plain(shape.read(read_yaml(text, "f"), "key", GROUND)) == expected


@pytest.mark.parametrize(
    ("shape", "text", "message"),
    [
        (Text(), "[a]", "key must be text, not a list"),
        (Text(choices=("auto", "never")), "nver", "key cannot be 'nver'"),
        (Whole(), "1.5", "key must be a whole number, not the number 1.5"),
        (Whole(), "true", "key must be a whole number, not the boolean true"),
        (Number(), "many", "key must be a number, not the text 'many'"),
        (Truth(), "maybe", "key must be true or false, not the text 'maybe'"),
        (Span(), "3 weeks", "key: '3 weeks' is not a duration"),
        (Size(), "much", "key must be a size such as 512m or 2g, not the text 'much'"),
        (Mode(), "[1]", "key must be an octal mode such as 0440, not a list"),
    ],
)
def test_a_scalar_that_does_not_fit_is_refused_with_its_key(shape: Shape, text: str, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        shape.read(read_yaml(text, "f"), "key", GROUND)

    assert refused.value.what == message
    assert refused.value.place == "f:1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("environment: 3", "services.web.environment must be a mapping, or a list of NAME=value, not the number 3"),
        ("environment: [[a]]", "an entry of services.web.environment must be text such as NAME=value, not a list"),
        ("depends_on: a", "services.web.depends_on must be a mapping, or a list of names, not the text 'a'"),
        ("command: {a: b}", "services.web.command must be text or a list of words, not a mapping"),
        ('command: "a \'b"', "services.web.command cannot be split: No closing quotation"),
        ("build: [a]", "services.web.build must be a mapping, not a list"),
        ("volumes: [{source: a}]", "services.web.volumes[0] has no 'type'"),
        ("volumes: ['a:b:c:d']", "services.web.volumes[0]: 'a:b:c:d' is no mount"),
        ("ports: ['8000-8001:80-82']", "services.web.ports[0]: the ranges in '8000-8001:80-82' differ in length"),
        ("ports: [true]", "services.web.ports[0] must be a port such as 8080:80, not the boolean true"),
        ("ports: ['90-80:1']", "services.web.ports[0]: 90-80 is no port"),
        ("depends_on: {a: {condition: healthy}}", "services.web.depends_on.a.condition cannot be 'healthy'"),
    ],
)
def test_a_group_that_does_not_fit_is_refused_with_its_key(text: str, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        SERVICE.read(read_yaml(text, "f"), "services.web", GROUND)

    assert refused.value.what == message
