from __future__ import annotations

import pytest

from tonnage.model.deploy.image_names import (
    VersionName,
    candidate_reference,
    is_config,
    numbers_of,
    read_version_name,
    version_name,
    why_ours_stays,
)
from tonnage.model.forecast.image_reference import image_name

NAMES = ("web", "Web", "WEB", "web-", "-web", "w.e.b", "w..b", "w__b", "w___b", "_", "x" * 197, "x" * 199)


def test_ordinary_names_stand_as_they_are() -> None:
    assert candidate_reference("my_shop-1", "web.api") == "localhost/tonnage/my_shop-1/web.api:candidate"


@pytest.mark.parametrize("service", NAMES)
@pytest.mark.parametrize("stack", ["shop", "shop-", "a__b___c", "x" * 197])
def test_every_name_that_compose_takes_leads_to_a_name_for_an_image(stack: str, service: str) -> None:
    assert image_name(version_name(3, "a" * 64).reference(stack, service))


def test_services_that_differ_have_images_that_differ() -> None:
    assert len({candidate_reference("shop", service) for service in NAMES}) == len(NAMES)


@pytest.mark.parametrize(
    "name",
    [
        VersionName(1),
        VersionName(999_999_999, "0123456789ab"),
        VersionName(2, "0123456789ab", withdrawn=True),
        VersionName(3, "0123456789ab", is_record=True),
        VersionName(4, "", withdrawn=True, is_record=True),
    ],
)
def test_the_name_of_a_version_says_what_it_was_made_of(name: VersionName) -> None:
    reference = name.reference("shop", "web")
    assert image_name(reference)
    assert read_version_name("shop", "web", reference) == name
    assert read_version_name("shop", "we", reference) is None
    assert read_version_name("theirs", "web", reference) is None
    assert list(numbers_of("shop", [reference])) == [name.number]
    assert list(numbers_of("theirs", [reference])) == []


@pytest.mark.parametrize("tag", ["candidate", "v", "vx", "v1-", "v1-xyz", "1", "v1.records", "v12345678901", "latest"])
def test_other_names_tell_of_no_version(tag: str) -> None:
    assert read_version_name("shop", "web", f"localhost/tonnage/shop/web:{tag}") is None


def test_a_configuration_is_known_by_the_beginning_of_its_digest_and_an_unknown_one_is_none() -> None:
    digest = "0123456789abcdef" * 4
    assert is_config(version_name(1, digest).config, digest)
    assert not is_config("", "")
    assert not is_config("", digest)


@pytest.mark.parametrize(
    ("tag", "reason"),
    [
        ("v1-0123456789ab", "kept for rollback"),
        ("v1", "kept for rollback"),
        ("v1-0123456789ab.record", "kept for rollback"),
        ("withdrawn-v1-0123456789ab.record", "rolled back"),
        ("withdrawn-v1-0123456789ab", ""),
        ("candidate", "about to check"),
        ("unproven", "undo of a deploy"),
        ("latest", ""),
    ],
)
def test_what_a_name_of_ours_holds_is_said(tag: str, reason: str) -> None:
    found = why_ours_stays(f"localhost/tonnage/shop/web:{tag}")
    assert reason in found
    assert bool(found) == bool(reason)
    assert why_ours_stays(f"theirs/web:{tag}") == ""
