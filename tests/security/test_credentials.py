"""What the user has for one server goes to no other one, and is shown to nobody."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.answering import Answer, answering
from tests.unit.adapters.registry.test_registry import Fleet

from tonnage.adapters.registry.access import may_be_shown, token_servers
from tonnage.adapters.registry.images import ImageRegistry
from tonnage.adapters.web.client import Web
from tonnage.adapters.web.disk_cache import DiskCache
from tonnage.addresses import origin_of, redacted, same_origin, shown, without_user
from tonnage.errors import CannotFetchError, CannotResolveError
from tonnage.forecast.python.index_access import IndexAccess, index_access
from tonnage.model.forecast.python_lock import ResolveRequest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.answering import Answering

SECRET = "s3cr3t-PW"
SERVERS = st.tuples(
    st.sampled_from(["http", "https", "HTTPS"]),
    st.sampled_from(["a.example.org", "A.Example.org", "a.example.org.evil.example.net", "b.example.org", "[::1]"]),
    st.sampled_from(["", ":80", ":443", ":8443", ":"]),
    st.sampled_from(["", "/", "/simple", "/simple/one/", "/files/one.whl", "/simple/../x"]),
).map("{0[0]}://{0[1]}{0[2]}{0[3]}".format)


@pytest.fixture
def servers() -> Iterator[tuple[Answering, Answering]]:
    with answering() as one, answering() as other:
        yield one, other


@given(SERVERS, SERVERS)
@example("https://a.example.org/simple", "https://a.example.org:8443/simple")
@example("https://a.example.org/simple", "http://a.example.org/simple")
def test_what_an_address_names_goes_to_the_same_origin_alone(given_for: str, asked: str) -> None:
    access = IndexAccess(credentials=((given_for, "me", SECRET),)) if "/" in given_for[8:] else None
    one, other = urlsplit(given_for), urlsplit(asked)
    ports = {"http": 80, "https": 443}
    same = (one.scheme, one.hostname, one.port or ports[one.scheme]) == (
        other.scheme, other.hostname, other.port or ports[other.scheme],
    )  # fmt: skip
    assert same_origin(given_for, asked) is same
    if access is not None:
        assert bool(access.headers(asked)) is same
        assert (SECRET in access.signed(asked)) is same


@given(SERVERS)
def test_what_a_netrc_file_has_goes_over_tls_alone(asked: str) -> None:
    access = IndexAccess(credentials=(("a.example.org", "me", SECRET),))
    parts = urlsplit(asked)
    assert bool(access.headers(asked)) is (parts.scheme == "https" and parts.hostname == "a.example.org")


def test_no_redirection_takes_a_secret_along_not_even_back(servers: tuple[Answering, Answering]) -> None:
    one, other = servers
    one.routes |= {"/a": Answer(302, headers={"Location": f"{other.address}/b"}), "/c": Answer(body=b"fine")}
    other.routes["/b"] = Answer(302, headers={"Location": f"{one.address}/c"})
    headers = {"Authorization": f"Basic {SECRET}", "Cookie": SECRET, "Range": "bytes=0-3"}
    assert Web({}).start(f"{one.address}/a", headers, first_bytes=4).body == b"fine"
    carried = [SECRET in str(each.headers) for each in (*one.asked, *other.asked)]
    assert carried == [True, False, False]
    assert all("range" in each.headers for each in (*one.asked, *other.asked))


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with answering() as server:
        (tmp_path / ".docker").mkdir()
        auth = base64.b64encode(f"me:{SECRET}".encode()).decode()
        (tmp_path / ".docker" / "config.json").write_text(json.dumps({"auths": {server.host: {"auth": auth}}}))
        yield Fleet(server)


def test_a_realm_elsewhere_is_shown_nothing_and_the_failure_says_how_it_would_be(fleet: Fleet, tmp_path: Path) -> None:
    name = fleet.serve()
    with answering() as elsewhere, Web({}) as web:
        realm = f'Bearer realm="{elsewhere.address}/token",service="s"'
        fleet.guard({"WWW-Authenticate": realm}, "Bearer seven")
        registry = ImageRegistry(web, DiskCache(tmp_path / "kept"), environment={"HOME": str(tmp_path)})
        elsewhere.routes["/token"] = Answer(401)
        with pytest.raises(CannotFetchError, match="gives no token") as caught:
            registry.base_image(name, "linux/amd64")
        server = elsewhere.host
        assert (
            f"{elsewhere.address}/token, another server, which was not shown what you log in with" in caught.value.why
        )
        assert caught.value.todo.endswith(f"\n  TONNAGE_TOKEN_SERVERS={fleet.server.host}={server}")
        # Who gives tokens to anyone is asked as anyone.
        elsewhere.routes["/token"] = Answer(body=b'{"token": "seven"}')
        assert registry.base_image(name, "linux/amd64").layers
        asked = [*fleet.server.asked, *elsewhere.asked]
    assert len(asked) > 3
    encoded = base64.b64encode(f"me:{SECRET}".encode()).decode()
    assert not any(encoded in str(each.headers) or SECRET in str(each.body) for each in asked)


@pytest.mark.parametrize(
    ("realm", "may"),
    [
        ("https://registry.example.org/token", True),
        ("https://registry.example.org:443/token", True),
        ("https://registry.example.org:8443/token", False),
        ("http://registry.example.org/token", False),
        ("https://gitlab.example.org/jwt/auth", True),
        ("http://gitlab.example.org/jwt/auth", False),
        ("https://gitlab.example.org:8443/jwt/auth", False),
        ("https://gitlab.example.org.evil.example.net/jwt/auth", False),
        ("https://auth.docker.io/token", False),
        ("", False),
        ("https://[", False),
    ],
)
def test_who_gives_tokens_is_the_registry_or_a_server_that_is_known_for_it(realm: str, *, may: bool) -> None:
    known = token_servers({"TONNAGE_TOKEN_SERVERS": "registry.example.org=gitlab.example.org nonsense"})
    assert may_be_shown(realm, "https://registry.example.org", "registry.example.org", known) is may
    assert may_be_shown("https://auth.docker.io/token", "https://registry-1.docker.io", "docker.io", known)


WORDS = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zs", "Zl", "Zp"), blacklist_characters="\"'<>`@/?#\\"))
PASSWORDS = st.text(st.sampled_from("ab1:[]%;,!$&()*+=~^|{}-_."), min_size=6, max_size=12).map("PW{}WP".format)


@given(
    st.sampled_from(["http", "https", "ssh", "git+https"]), WORDS, PASSWORDS, st.text(max_size=20), st.text(max_size=20)
)
@example("https", "me", "PW[", "", ":99999/simple")
def test_no_name_and_password_of_an_address_is_shown(
    scheme: str, user: str, password: str, before: str, after: str
) -> None:
    address = f"{scheme}://{user}:{password}@host.example.org{after.replace('@', '')}"
    for text in (shown(address), without_user(address), redacted(f"{before} {address}"), redacted(address + before)):
        assert password not in text
    assert "host.example.org" in shown(address)


@pytest.mark.parametrize(
    "text",
    [
        f"https://me:p/{SECRET}@host.example.org/simple",
        f"https://{SECRET}@host.example.org/simple",
        f"curl -fsSL 'https://host.example.org/x?private_token={SECRET}&a=b'",
        f"a,https://u:{SECRET}@h.example.org/,http://v:{SECRET}@i.example.org/ b",
        f"https://host.example.org/x?X-Amz-Signature={SECRET}",
    ],
)
def test_passwords_that_nobody_encoded_and_keys_in_queries_are_not_shown(text: str) -> None:
    assert SECRET not in redacted(text)
    assert "example.org" in redacted(text)


@given(st.text())
def test_texts_without_addresses_stay_and_every_text_is_read(text: str) -> None:
    assert redacted(redacted(text)) == redacted(text)
    assert "://" in text or redacted(text) == text
    shown(text)
    origin_of(text)


@pytest.mark.parametrize(
    "text",
    ["ssh://git@github.example.org/a", "pip install git+ssh://git@host/x", "https://host/@scope/pkg?raw=true#a=b"],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redacted(text) == text


@pytest.mark.parametrize("port", [":99999", ":PW", ":8o", ""])
@pytest.mark.parametrize("user", [f"me:{SECRET}", f"me:{SECRET}[", f"me:[{SECRET}]", f"me:{SECRET}\u2100", SECRET])
@pytest.mark.parametrize("variable", ["PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX", "wanted"])
def test_an_index_that_cannot_be_used_is_told_without_its_password(variable: str, user: str, port: str) -> None:
    url = f"https://{user}@host.example.org{port}/simple"
    wanted = ResolveRequest(requirements=("a",), index_url=url if variable == "wanted" else "")
    if port or "[" in user or "\u2100" in user:
        with pytest.raises(CannotResolveError) as caught:
            index_access(wanted, {"PIP_CONFIG_FILE": "/dev/null", variable: url})
        assert SECRET not in str(caught.value)
        assert "host.example.org" in str(caught.value)
        with pytest.raises(CannotFetchError) as told:
            Web({}).get(url)
        assert SECRET not in str(told.value)
