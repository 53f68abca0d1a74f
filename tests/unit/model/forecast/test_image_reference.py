from __future__ import annotations

import pytest

from tonnage.model.forecast.image_reference import image_name

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    "text",
    [
        "web",
        "web:1.2",
        "shop_web",
        "a__b/c--d.e",
        "example.org/team/web:1.2_x",
        "example.org:5017/web",
        "localhost/tonnage/shop/web:candidate",
        "[::1]:5017/web",
        f"web@{DIGEST}",
        f"web:1@{DIGEST}",
        DIGEST,
        "Example.org/web",
    ],
)
def test_a_name_of_an_image_is_one(text: str) -> None:
    assert image_name(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Web",
        "shop-Web",
        "web-",
        "-web",
        "a..b",
        "a___b",
        "web:",
        ":1",
        "web:1:2",
        "a b",
        "web@1",
        "a//b",
        "\u00fc",
        "x" * 256,
    ],
)
def test_anything_else_is_none(text: str) -> None:
    assert not image_name(text)
