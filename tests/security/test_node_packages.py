"""What a stranger's locks of Node.js cannot do: ask for what is none of their business, or get what is the user's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.answering import Answer, answering

from tonnage.adapters.host.npm import npm_default_registry
from tonnage.adapters.web.client import Web
from tonnage.adapters.web.disk_cache import DiskCache
from tonnage.adapters.web.permission import AskedServers
from tonnage.forecast.gather.withheld import GuardedLookups, MarkedLookups
from tonnage.forecast.node.npm_settings import npm_settings
from tonnage.forecast.node.registry import NodeRegistry
from tonnage.model.forecast.node_packages import NodePackage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tonnage.model.forecast.node_packages import NodeSize

ENTRY = Answer(body=json.dumps({"dist": {"unpackedSize": 10_007}}).encode())


def test_a_token_goes_to_the_registry_alone_that_it_is_for(tmp_path: Path) -> None:
    with answering() as own, answering() as strangers:
        (tmp_path / ".npmrc").write_text(
            f"@acme:registry={own.address}/npm\n//{own.host}/npm/:_authToken=secret-of-the-user\n"
        )
        settings = npm_settings({"HOME": str(tmp_path)})
        own.routes["/npm/@acme%2Fweb/1.0.0"] = ENTRY
        strangers.routes["/other/1.0.0"] = ENTRY
        packages = (
            NodePackage(name="@acme/web", version="1.0.0"),
            NodePackage(name="other", version="1.0.0", address=f"{strangers.address}/other/-/other-1.0.0.tgz"),
            NodePackage(name="third", version="1.0.0", address=f"{own.address}/third/-/third-1.0.0.tgz"),
        )
        with Web({}) as web:
            NodeRegistry(web, DiskCache(tmp_path / "cache"), settings, str).sizes(packages)

    assert [each.headers.get("authorization") for each in own.asked if "acme" in each.path] == [
        "Bearer secret-of-the-user"
    ]
    assert not any("authorization" in each.headers for each in strangers.asked)
    assert not any("authorization" in each.headers for each in own.asked if "third" in each.path)


def test_untrusted_locks_lead_to_no_server_that_the_user_did_not_configure(tmp_path: Path) -> None:
    with answering() as own, answering() as strangers:
        settings = npm_settings({"npm_config_registry": own.address})
        allowed = AskedServers(untrusted=True, configured=(settings.addresses,))
        package = NodePackage(name="web", version="1.0.0", address=f"{strangers.address}/web/-/web-1.0.0.tgz")
        with Web({}, allowed=allowed, led=allowed.lead, asks_some=True) as web:
            registry = NodeRegistry(web, DiskCache(tmp_path), settings, str)
            sizes, why = registry.sizes([package])

    assert not sizes
    assert why
    assert own.asked
    assert not strangers.asked


def test_settings_of_a_project_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / ".npmrc").write_text("registry=http://strangers.example.org/\n")
    monkeypatch.chdir(tmp_path / "project")

    assert not npm_settings({"HOME": str(tmp_path / "home")}).addresses()


def test_npm_itself_is_asked_away_from_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project, programs = tmp_path / "project", tmp_path / "programs"
    project.mkdir()
    programs.mkdir()
    (project / ".npmrc").write_text("registry=http://strangers.example.org/\n")
    program = programs / "npm"
    program.write_text('#!/bin/sh\npwd > "$WROTE"\necho http://registry.example.org/\n')
    program.chmod(0o755)
    monkeypatch.chdir(project)
    environment = {"PATH": f"{programs}:/usr/bin:/bin", "WROTE": str(tmp_path / "where")}
    monkeypatch.setenv("PATH", environment["PATH"])

    assert npm_default_registry(environment, DiskCache(tmp_path / "cache")) == "http://registry.example.org"
    assert (tmp_path / "where").read_text() == "/\n"


@pytest.mark.parametrize("told", ["file:///etc/passwd", "javascript:1", "", "http://[", "not an address"])
def test_what_npm_says_is_an_address_or_nothing(told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "npm"
    program.write_text(f"#!/bin/sh\necho '{told}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    assert npm_default_registry({"PATH": f"{tmp_path}:/usr/bin:/bin"}, DiskCache(tmp_path / "cache")) == ""


def test_a_lock_that_holds_a_value_of_the_environment_leads_to_nobody() -> None:
    secret = NodePackage(name="a-value-of-the-user", version="1.0.0")
    public = NodePackage(name="web", version="1.0.0")
    inner = Inner()
    marked = MarkedLookups(inner)  # type: ignore[arg-type] # it is asked for nothing else
    marked.node_sizes([public])
    guarded = GuardedLookups(inner, marked.questions, [("TOKEN", "x")], ())  # type: ignore[arg-type] # as above
    _, why = guarded.node_sizes([public, secret])

    assert inner.asked == [public]
    assert "values of the environment" in why


class Inner:
    """What remembers the packages that it is asked for."""

    asked: Sequence[NodePackage] = ()

    def node_sizes(self, packages: Sequence[NodePackage]) -> tuple[dict[NodePackage, NodeSize], str]:
        """Remember what is asked."""
        self.asked = packages
        return {}, ""
