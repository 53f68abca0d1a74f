from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tonnage.errors import UsageError
from tonnage.sources.compose.command_words import split_words
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
        (Span(), "1500ms", "1.5s"),
        (Span(), "'0'", "0s"),
        (Span(), "1h", "1h0m0s"),
        (Span(), ".5s", "500ms"),
        (Span(), "2w1d", "360h0m0s"),
        (Span(), "1\u03bcs5ns", "1.005\u00b5s"),
        (Span(), "-1.5h", "-1h30m0s"),
        (Size(), "512m", "536870912"),
        (Size(), "1.5gb", "1610612736"),
        (Size(), "2KiB", "2048"),
        (Size(), "1048573", "1048573"),
        (Size(), "-1", "-1"),
        (Size(), ".5g", "536870912"),
        (Size(), "'1_0e2 k'", "1024000"),
        (Size(), "0", "0"),
        (Mode(), "0440", "0440"),
        (Mode(), "'0440'", "0440"),
        (PathText(), "a/../b/./c/", "/project/here/b/c"),
        (PathText(), "../../../up", "/up"),
        (PathText(), "~/x", "/home/me/x"),
        (PathText(), "~x", "/home/me/x"),
        (PathText(), "/a/../b/", "/a/../b/"),
        (PathText(read_here=True), "/a/../b/", "/b"),
        (PathText(mounted=True), "'C:\\a'", "C:\\a"),
        (PathText(mounted=True), "'\\\\host\\a'", "\\\\host\\a"),
        (PathText(mounted=True), "c:a", "/project/here/c:a"),
        (PathText(), "C:/a", "/project/here/C:/a"),
    ],
)
def test_a_scalar_is_read_into_its_one_form(shape: Shape, text: str, expected: object) -> None:
    assert plain(shape.read(read_yaml(text, "f"), "key", GROUND)) == expected


@pytest.mark.parametrize(
    ("shape", "text", "message"),
    [
        (Text(), "[a]", "key must be text, not a list"),
        (Text(choices=("auto", "never")), "nver", "key cannot be 'nver'"),
        (Whole(within=(0, 5)), "6", "key must be a whole number, not the number 6"),
        (Whole(), "true", "key must be a whole number, not the boolean true"),
        (Number(), "many", "key must be a number, not the text 'many'"),
        (Truth(), "maybe", "key must be true or false, not the text 'maybe'"),
        (Span(), "3 weeks", "key: '3 weeks' is not a duration"),
        (Span(), "5", "key: '5' is not a duration"),
        (Span(), "1m1", "key: '1m1' is not a duration"),
        (Size(), "5ib", "key must be a size such as 512m or 2g, not the text '5ib'"),
        (Size(), "'-1'", "key must be a size such as 512m or 2g, not the text '-1'"),
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
        ("environment: [[a]]", "services.web.environment[0] must be text, not a list"),
        ("depends_on: a", "services.web.depends_on must be a mapping, or a list of names, not the text 'a'"),
        ("command: {a: b}", "services.web.command must be text or a list of words, not a mapping"),
        ('command: "a \'b"', "services.web.command cannot be split into words"),
        ("build: [a]", "services.web.build must be a mapping, not a list"),
        ("volumes: [{source: a}]", "services.web.volumes[0] has no 'type'"),
        ("volumes: ['aa:bb:cc:dd']", "services.web.volumes[0]: 'aa:bb:cc:dd' is not a mount"),
        ("ports: ['8000-8001:80-82']", "services.web.ports[0]: the ranges in '8000-8001:80-82' differ in length"),
        ("ports: [true]", "services.web.ports[0] must be a port such as 8080:80, not the boolean true"),
        ("volumes: ['aa:/b${']", "services.web.volumes[0]: 'aa:/b${' is not a mount"),
        ("volumes: ['aa::b']", "services.web.volumes[0]: 'aa::b' is not a mount"),
        ("ports: ['90-80:1']", "services.web.ports[0]: '90-80:1' is not a port"),
        ("ports: ['localhost:80:80']", "services.web.ports[0]: 'localhost:80:80' is not a port"),
        ("ports: ['1.2.3.4:80']", "services.web.ports[0]: '1.2.3.4:80' is not a port"),
        ("ports: ['80/xyz']", "services.web.ports[0]: '80/xyz' is not a port"),
        ("ports: [80.5]", "services.web.ports[0] must be a port such as 8080:80, not the number 80.5"),
        ("extra_hosts: [a]", "services.web.extra_hosts[0]: 'a' names no host with its address"),
        ("depends_on: {a: {condition: healthy}}", "services.web.depends_on.a.condition cannot be 'healthy'"),
    ],
)
def test_a_group_that_does_not_fit_is_refused_with_its_key(text: str, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        SERVICE.read(read_yaml(text, "f"), "services.web", GROUND)

    assert refused.value.what == message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("volumes: ['C:\\a:/b:ro']", {"type": "bind", "source": "C:\\a", "target": "/b", "read_only": True}),
        ("volumes: ['v:/v']", {"type": "volume", "target": "v:/v"}),
        ("volumes: ['c:a:/b']", {"type": "bind", "source": "/project/here/c:a", "target": "/b"}),
        ("volumes: ['vol:C:/v']", {"type": "volume", "source": "vol", "target": "C:/v"}),
        ("volumes: ['/a/../b:/c//d/']", {"type": "bind", "source": "/a/../b", "target": "/c/d"}),
        ("volumes: ['~a:/b:ro,rw']", {"type": "bind", "source": "/home/me/a", "target": "/b"}),
        ("volumes: ['/d']", {"type": "volume", "target": "/d"}),
        ("volumes: [{type: volume, target: /a/../b/}]", {"type": "volume", "target": "/b"}),
        ("ports: ['80:80/TCP']", {"published": "80", "target": 80, "protocol": "tcp"}),
        ("ports: ['0:80']", {"published": "0", "target": 80, "protocol": "tcp"}),
        ("ports: ['[::1]:080:80']", {"host_ip": "::1", "published": "80", "target": 80, "protocol": "tcp"}),
        ("ports: ['8000-8010:80/udp']", {"published": "8000-8010", "target": 80, "protocol": "udp"}),
    ],
)
def test_short_syntax_means_what_it_means_to_compose(text: str, expected: dict[str, object]) -> None:
    key = text.partition(":")[0]
    [entry] = plain(SERVICE.read(read_yaml(text, "f"), "services.web", GROUND))[key]

    assert {name: entry[name] for name in entry if name not in {"bind", "volume", "mode"}} == expected


def test_a_host_may_have_several_addresses_and_brackets_are_left_out() -> None:
    text = "extra_hosts: ['a:192.0.2.1,192.0.2.2', 'b=[::1]']\nbuild: {extra_hosts: {a: !reset x, b: '[::1]'}}"

    read = plain(SERVICE.read(read_yaml(text, "f"), "services.web", GROUND))

    assert read["extra_hosts"] == ["a=192.0.2.1", "a=192.0.2.2", "b=::1"]
    assert read["build"]["extra_hosts"] == ["b=::1"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a 'b c' \"d e\"f", ["a", "b c", "d ef"]),
        ("", []),
        ("'' \"\"", ["", ""]),
        ("x\\y \"x\\y\" 'x\\y'", ["xy", "xy", "x\\y"]),
        ("a && b", ["a"]),
        ("a 2>x", ["a"]),
        ("a > b", ["a"]),
        ('a `b c;d` $(e "f" g)', ["a", "`b c;d`", '$(e "f" g)']),
        ("#a", ["#a"]),
        ("a (b)", None),
        ("a b)", None),
        ("`a", None),
        ("a\\", None),
        ('"a', None),
    ],
)
def test_a_command_is_split_as_compose_splits_it(text: str, words: list[str] | None) -> None:
    assert split_words(text) == words
