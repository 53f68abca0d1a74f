from __future__ import annotations

import pytest

from tonnage.model.deploy.image_names import candidate_reference, previous_reference
from tonnage.model.forecast.image_reference import image_name

NAMES = ("web", "Web", "WEB", "web-", "-web", "w.e.b", "w..b", "w__b", "w___b", "_", "x" * 197, "x" * 199)


def test_ordinary_names_stand_as_they_are() -> None:
    assert candidate_reference("my_shop-1", "web.api") == "localhost/tonnage/my_shop-1/web.api:candidate"


@pytest.mark.parametrize("service", NAMES)
@pytest.mark.parametrize("stack", ["shop", "shop-", "a__b___c", "x" * 197])
def test_every_name_that_compose_takes_leads_to_a_name_for_an_image(stack: str, service: str) -> None:
    assert image_name(previous_reference(stack, service))


def test_services_that_differ_have_images_that_differ() -> None:
    assert len({candidate_reference("shop", service) for service in NAMES}) == len(NAMES)
