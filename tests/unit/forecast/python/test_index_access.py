from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from tonnage.errors import CannotResolveError
from tonnage.forecast.python.index_access import index_access
from tonnage.model.forecast.python_lock import ResolveRequest

if TYPE_CHECKING:
    from pathlib import Path

NOTHING = ResolveRequest(requirements=("a",))
OWN = "https://own.example.org/simple"
MIRROR = "https://mirror.example.org/simple"


def home_with(home: Path, text: str, **more: str) -> dict[str, str]:
    """Return an environment whose own pip settings alone are these."""
    (home / "pip.conf").write_text(text)
    return {"PIP_CONFIG_FILE": str(home / "pip.conf"), "HOME": str(home), "XDG_CONFIG_DIRS": str(home), **more}


def test_without_settings_the_default_of_the_resolver_holds() -> None:
    access = index_access(NOTHING, {"PIP_CONFIG_FILE": "/dev/null"})
    assert (access.index_url, access.extra_index_urls, access.credentials) == ("", (), ())


def test_the_index_of_pips_settings_is_used(tmp_path: Path) -> None:
    access = index_access(NOTHING, home_with(tmp_path, f"[global]\nindex-url = {MIRROR}\n"))
    assert access.index_url == MIRROR


def test_the_environment_wins_over_the_file_and_the_dockerfile_over_both(tmp_path: Path) -> None:
    environment = home_with(tmp_path, "[install]\nindex_url = https://old.example.org/\n", PIP_INDEX_URL=MIRROR)
    assert index_access(NOTHING, environment).index_url == MIRROR
    assert index_access(ResolveRequest(requirements=("a",), index_url=OWN), environment).index_url == OWN


def test_an_index_of_uvs_environment_wins_over_one_of_pips() -> None:
    environment = {"PIP_CONFIG_FILE": "/dev/null", "PIP_INDEX_URL": MIRROR, "UV_INDEX_URL": OWN}
    assert index_access(NOTHING, environment).index_url == OWN


def test_indexes_of_uvs_settings_are_read(tmp_path: Path) -> None:
    (tmp_path / "uv").mkdir()
    (tmp_path / "uv" / "uv.toml").write_text(
        f"""
        system-certs = true
        allow-insecure-host = ["far.example.org"]
        [[index]]
        name = "own-one"
        url = "{OWN}"
        [[index]]
        url = "{MIRROR}"
        default = true
        [[index]]
        name = "asked"
        url = "https://asked.example.org/simple"
        explicit = true
        [pip]
        extra-index-url = ["https://more.example.org/simple"]
        no-binary = ["evil"]
        """
    )
    environment = {
        "PIP_CONFIG_FILE": "/dev/null", "XDG_CONFIG_HOME": str(tmp_path), "UV_INDEX_OWN_ONE_USERNAME": "me",
        "UV_INDEX_OWN_ONE_PASSWORD": "open",
    }  # fmt: skip
    access = index_access(NOTHING, environment)
    assert access.index_url == MIRROR
    assert access.extra_index_urls == (OWN, "https://more.example.org/simple")
    assert (access.system_certificates, access.trusted_hosts) == (True, ("far.example.org",))
    assert access.signed(OWN) == OWN.replace("://", "://me:open@")
    assert access.signed(MIRROR) == MIRROR


def test_an_index_that_lies_in_the_image_is_told() -> None:
    with pytest.raises(CannotResolveError, match="known to the build alone"):
        index_access(ResolveRequest(requirements=("a",), index_url="/wheels"), {"PIP_CONFIG_FILE": "/dev/null"})


def test_no_password_is_shown_of_an_address_that_is_none() -> None:
    with pytest.raises(CannotResolveError) as caught:
        index_access(
            ResolveRequest(requirements=("a",), index_url="https://me:hidden@own.example.org:99999/"),
            {"PIP_CONFIG_FILE": "/dev/null"},
        )
    assert "hidden" not in str(caught.value)


def test_directories_of_this_machine_are_left_out_and_told(tmp_path: Path) -> None:
    text = f"[global]\nextra-index-url = file:///srv/simple\n  {MIRROR}\nfind-links = /srv/wheels\n"
    access = index_access(NOTHING, home_with(tmp_path, text))
    assert access.extra_index_urls == (MIRROR,)
    assert access.left_out == ("file:///srv/simple", "/srv/wheels")


def test_a_name_and_password_go_to_their_host_alone() -> None:
    access = index_access(
        ResolveRequest(requirements=("a",), index_url="https://me:op%40en@own.example.org/simple"),
        {"PIP_CONFIG_FILE": "/dev/null"},
    )
    assert access.headers("https://own.example.org/files/a.whl") == {"Authorization": "Basic bWU6b3BAZW4="}
    assert access.headers("https://files.example.org/a.whl") == {}


def test_of_several_users_of_a_host_the_one_of_the_nearest_address_is_given() -> None:
    access = index_access(
        ResolveRequest(
            requirements=("a",),
            index_url="https://me:one@own.example.org/api/1/simple",
            extra_index_urls=("https://me:two@own.example.org/api/11/simple",),
        ),
        {
            "PIP_CONFIG_FILE": "/dev/null",
            "UV_INDEX": "third=https://me:three@own.example.org:8443/simple https://me:four@far.example.org/",
        },
    )

    def password(url: str) -> str:
        told = access.headers(url).get("Authorization", "").removeprefix("Basic ")
        return base64.b64decode(told).decode().partition(":")[2]

    assert password("https://own.example.org/api/1/simple/a/") == "one"
    assert password("https://own.example.org/api/11/simple/a/") == "two"
    assert password("https://own.example.org:8443/simple/a/") == "three"
    assert password("https://far.example.org/files/a.whl") == "four"
    # Nobody tells a password where everyone can read it.
    assert password("http://own.example.org/api/1/simple/a/") == ""
    assert password("https://own.example.org/files/a.whl") == "one"


def test_the_users_netrc_is_read(tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine own.example.org login me password open\n")
    (tmp_path / "netrc").chmod(0o600)
    access = index_access(NOTHING, {"PIP_CONFIG_FILE": "/dev/null", "NETRC": str(tmp_path / "netrc")})
    assert access.headers(f"{OWN}/a.whl") == {"Authorization": "Basic bWU6b3Blbg=="}


def test_settings_that_cannot_be_read_are_passed_over(tmp_path: Path) -> None:
    access = index_access(NOTHING, home_with(tmp_path, "no section\n= nothing", PIP_CERT="/etc/own.pem"))
    assert access.certificates == "/etc/own.pem"


@pytest.mark.parametrize("url", ["http://[own/simple", "https://own.example.org:99999/simple"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(CannotResolveError, match="is not the address of a package index"):
        index_access(ResolveRequest(requirements=("a",), extra_index_urls=(url,)), {"PIP_CONFIG_FILE": "/dev/null"})
