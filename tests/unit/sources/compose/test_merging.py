from __future__ import annotations

from typing import Any

import pytest

from tonnage.sources.compose.keys import COMPOSE_FILE
from tonnage.sources.compose.nodes import merge, place_of, plain, settled
from tonnage.sources.compose.scalars import PathBase
from tonnage.sources.compose.yaml_text import read_yaml


def merged(first: str, *later: str) -> Any:  # noqa: ANN401 - the shape is the test's
    trees = [
        COMPOSE_FILE.read(
            read_yaml(f"services: {{web: {{{text}}}}}", f"{number}.yaml"), "", PathBase("/project", "/home/me")
        )
        for number, text in enumerate((first, *later))
    ]
    tree = trees[0]
    for other in trees[1:]:
        tree = merge(tree, other)
    return plain(settled(tree))["services"]["web"]


@pytest.mark.parametrize(
    ("first", "later", "expected"),
    [
        ("image: a", "image: b", {"image": "b"}),
        ("image: a", "hostname: h", {"image": "a", "hostname": "h"}),
        ("environment: {A: 1, B: 2}", "environment: [B=3, C]", {"environment": {"A": "1", "B": "3", "C": None}}),
        ("labels: [a, b=1]", "labels: {b: 2}", {"labels": {"a": "", "b": "2"}}),
        ("command: a b", "command: [c]", {"command": ["c"]}),
        ("command: a b", "command: ", {"command": None}),
        ("entrypoint: [a]", "entrypoint: b 'c d'", {"entrypoint": ["b", "c d"]}),
        (
            "healthcheck: {test: [CMD, a], retries: 3}",
            "healthcheck: {test: b}",
            {"healthcheck": {"test": ["CMD-SHELL", "b"], "retries": 3}},
        ),
        ("security_opt: [a]", "security_opt: [b]", {"security_opt": ["a", "b"]}),
        ("dns: 192.0.2.1", "dns: [192.0.2.2]", {"dns": ["192.0.2.1", "192.0.2.2"]}),
        (
            "volumes: ['./a:/x', 'vv:/y:ro']",
            "volumes: ['ww:/x/']",
            {
                "volumes": [
                    {"type": "volume", "source": "ww", "target": "/x", "volume": {}},
                    {"type": "volume", "source": "vv", "target": "/y", "read_only": True, "volume": {}},
                ]
            },
        ),
        (
            "secrets: [token]",
            "secrets: [{source: token, uid: '7'}]",
            {"secrets": [{"source": "token", "uid": "7"}]},
        ),
        ("expose: [80]", "expose: ['80', 81]", {"expose": ["80", "81"]}),
        (
            "depends_on: [a]",
            "depends_on: {a: {condition: service_healthy}, b: }",
            {"depends_on": {"a": {"condition": "service_healthy", "required": True}, "b": None}},
        ),
        ("networks: [a]", "networks: {b: {aliases: [c]}}", {"networks": {"a": None, "b": {"aliases": ["c"]}}}),
        ("build: ./here", "build: {target: t}", {"build": {"context": "/project/here", "target": "t"}}),
        (
            "logging: {driver: a, options: {x: 1}}",
            "logging: {options: {y: 2}}",
            {"logging": {"driver": "a", "options": {"x": "1", "y": "2"}}},
        ),
        (
            "logging: {driver: a, options: {x: 1}}",
            "logging: {driver: b}",
            {"logging": {"driver": "b"}},
        ),
        ("environment: {A: 1}", "environment: ", {"environment": {"A": "1"}}),
        ("ports: ['1:1']", "ports: !reset null", {}),
        ("ports: ['1:1']", "ports: !override []", {"ports": []}),
        ("deploy: {labels: {a: 1}, replicas: 2}", "deploy: {labels: !reset {}}", {"deploy": {"replicas": 2}}),
        ("build: {args: {A: 1}}", "build: {args: {A: !reset null, B: 2}}", {"build": {"args": {"B": "2"}}}),
        ("tmpfs: /run:size=7m", "tmpfs: ['/run:size=8m', /tmp]", {"tmpfs": ["/run:size=8m", "/tmp"]}),
        ("x-a: {b: 1}", "x-a: {c: 2}", {"x-a": {"b": 1, "c": 2}}),
    ],
)
def test_a_later_file_changes_an_earlier_one_as_the_specification_says(
    first: str, later: str, expected: dict[str, Any]
) -> None:
    assert merged(first, later) == expected


def test_what_was_reset_can_be_written_again_by_a_third_file() -> None:
    assert merged("labels: {a: 1}", "labels: !reset {}", "labels: {b: 2}") == {"labels": {"b": "2"}}


def test_each_merged_value_keeps_the_place_that_it_comes_from() -> None:
    first = COMPOSE_FILE.read(read_yaml("services:\n web:\n  image: a\n  user: u\n", "a.yaml"), "", PathBase("/"))
    second = COMPOSE_FILE.read(read_yaml("services:\n web:\n\n\n  user: v\n", "b.yaml"), "", PathBase("/"))

    tree = merge(first, second)

    assert str(place_of(tree, "services", "web", "image")) == "a.yaml:3"
    assert str(place_of(tree, "services", "web", "user")) == "b.yaml:5"
    assert str(place_of(tree, "services", "web", "nothing", "here")) == "a.yaml:2"
