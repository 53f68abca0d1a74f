"""What a service could share: what pip puts into the Python of an official image; in doubt nothing, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.decide.share.offering import SOURCE, offered

from tonnage.model.forecast.estimate import EngineKind

if TYPE_CHECKING:
    from pathlib import Path

FROM = "FROM python:3.11-slim\n"
BUILT_ELSEWHERE = """FROM python:3.11 AS one
RUN pip install --prefix=/x torch
FROM python:3.11
COPY --from=one /x /usr/local
RUN pip install flask
"""


def names(tmp_path: Path, lines: str, **changes: object) -> list[str]:
    return [each.name for each in offered(tmp_path, FROM + lines, **changes).wheels]  # type: ignore[arg-type]


def whys(tmp_path: Path, dockerfile: str, **changes: object) -> str:
    offer = offered(tmp_path, dockerfile, **changes)  # type: ignore[arg-type]
    assert offer.wheels == (), offer
    return "; ".join(f"{each.what}: {each.why}" for each in offer.apart)


@pytest.mark.parametrize(
    "lines",
    [
        "RUN pip install torch flask",
        "RUN pip install --no-cache-dir torch\nRUN pip3 install flask",
        "ENV PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1\nWORKDIR /app\nRUN python -m pip install torch flask",
        "RUN apt-get update && rm -rf /var/lib/apt/lists/*\nRUN pip install torch flask\nUSER 1000",
        "RUN --mount=type=cache,target=/root/.cache/pip pip install torch flask\nRUN rm -rf /tmp/*",
        "RUN pip install --index-url https://example.org/simple torch flask",
        "RUN pip install --no-cache-dir --upgrade pip && pip install --no-cache-dir torch flask",
        "COPY --from=example/tool /tool /usr/local/bin/\nRUN pip install torch flask",
    ],
)
def test_what_pip_puts_into_the_python_of_the_image_can_be_shared(tmp_path: Path, lines: str) -> None:
    assert sorted(names(tmp_path, lines)) == ["flask", "numpy", "torch"]


def test_a_file_that_is_copied_beside_keeps_nothing_apart(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("torch\n")
    assert sorted(names(tmp_path, "COPY requirements.txt /\nRUN pip install -r /requirements.txt")) == [
        "numpy",
        "torch",
    ]


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("RUN pip install --prefix=/install torch", "--prefix"),
        ("RUN pip install --root=/install torch", "--root"),
        ("RUN pip install --user torch", "--user"),
        ("RUN pip install --target=/app/lib torch", "--target"),
        ("ENV PIP_TARGET=/app/lib\nRUN pip install torch", "--target"),
        ("RUN pip install -I torch", "--ignore-installed"),
        ("RUN pip install --force-reinstall torch", "--force-reinstall"),
        ("RUN pip install -U torch", "--upgrade"),
        ("RUN pip install --no-binary :all: torch", "--no-binary"),
        ("RUN pip install --require-hashes torch", "--require-hashes"),
        ("RUN python -m venv --system-site-packages /v && /v/bin/pip install torch", "environment /v"),
        ("ENV PATH=/v/bin:$PATH\nRUN python -m venv /v\nRUN pip install torch", "PATH is set"),
        ("USER 1000\nRUN pip install torch", "USER 1000"),
        ("RUN pip install --index-url https://me:secret@example.org/simple torch", "private"),
        ("RUN pip install --extra-index-url http://example.org/simple torch", "private"),
        ("RUN pip install --find-links /wheels torch", "--find-links"),
        ("RUN --mount=type=secret,id=pip,target=/etc/pip.conf pip install torch", "secret"),
        ("RUN --network=none pip install torch", "network"),
        ("ENV PIP_CONFIG_FILE=/app/pip.conf\nRUN pip install torch", "PIP_CONFIG_FILE"),
        ("ENV PYTHONUSERBASE=/x\nRUN pip install torch", "PYTHONUSERBASE"),
        ("RUN pip install torch || true", "may not run"),
        ("RUN test -f /x && pip install torch", "may not run"),
        ("RUN ./prepare.sh\nRUN pip install torch", "./prepare.sh"),
        ("RUN uv pip install --system torch", "uv pip"),
        ("RUN pip install torch\nRUN pip uninstall -y numpy", "removes"),
        ("RUN pip install torch\nRUN find /usr/local -name tests -exec rm -rf {} +", "removes"),
        ("RUN pip install torch && rm -rf /usr/local/lib/python3.11/site-packages/torch/test", "removes"),
        ("RUN pip install torch\nRUN chown -R 1000 /usr/local", "removes or changes"),
        ("COPY . /usr/local/lib/python3.11/site-packages/\nRUN pip install torch", "before it is installed"),
        ("RUN pip install nothing-of-that-name", "not known"),
        ("RUN echo nothing", "installs no Python packages"),
    ],
)
def test_in_doubt_nothing_is_shared_and_the_reason_is_said(tmp_path: Path, lines: str, why: str) -> None:
    (tmp_path / "main.py").write_text("")
    assert why in whys(tmp_path, FROM + lines)


@pytest.mark.parametrize(
    ("dockerfile", "why"),
    [
        ("FROM python:3.11-alpine\nRUN pip install torch", "only official images"),
        ("FROM example.org/team/python:3.11\nRUN pip install torch", "only official images"),
        ("FROM pytorch/pytorch:2.3\nRUN pip install torch", "only official images"),
        (BUILT_ELSEWHERE, "2 stages stand on"),
        ("FROM python:3.11\nRUN pip install torch\nCOPY --from=python:3.11 /etc/issue /x", "copied from"),
        ("FROM python:3.11 \\\n  AS one\nRUN pip install torch", "line of its FROM"),
    ],
)
def test_a_base_that_is_not_certain_is_not_replaced(tmp_path: Path, dockerfile: str, why: str) -> None:
    assert why in whys(tmp_path, dockerfile)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"pull": True}, "pull"),
        ({"no_cache": True}, "no_cache"),
        ({"platforms": ("linux/amd64", "linux/arm64")}, "several platforms"),
        ({"network": "host"}, "network of its own"),
        ({"cache_from": ("example.org/web:cache",)}, "cache_from"),
        ({"args": (("HTTP_PROXY", "http://example.org"),)}, "HTTP_PROXY"),
        ({"additional_contexts": (("python:3.11-slim", "docker-image://python:3.11-slim"),)}, "additional_contexts"),
        ({"kind": EngineKind.CLASSIC}, "before BuildKit"),
        ({"kind": EngineKind.CONTAINER}, "beside the engine"),
    ],
)
def test_a_build_that_is_not_an_ordinary_one_shares_nothing(
    tmp_path: Path, changes: dict[str, object], why: str
) -> None:
    assert why in whys(tmp_path, f"{FROM}RUN pip install torch", **changes)


def test_what_is_no_wheel_or_may_be_in_the_image_stays_where_it_is(tmp_path: Path) -> None:
    offer = offered(tmp_path, f"{FROM}RUN pip install numpy pip {SOURCE}")
    assert [each.name for each in offer.wheels] == ["numpy"]
    assert {each.what for each in offer.apart} == {"pip", SOURCE}


def test_what_is_installed_once_more_elsewhere_stays_where_it_is(tmp_path: Path) -> None:
    offer = offered(tmp_path, f"{FROM}RUN pip install torch\nRUN pip install --prefix=/other numpy")
    assert [each.name for each in offer.wheels] == ["torch"]


def test_wheels_that_own_one_path_stay_where_they_are(tmp_path: Path) -> None:
    offer = offered(tmp_path, f"{FROM}RUN pip install opencv opencv-headless")
    assert [each.name for each in offer.wheels] == ["numpy"]
    assert all("cv2/cv2.so" in each.why for each in offer.apart)


def test_wheels_that_make_one_command_stay_where_they_are(tmp_path: Path) -> None:
    offer = offered(tmp_path, f"{FROM}RUN pip install opencv flask")
    assert [each.name for each in offer.wheels] == ["numpy"]
    assert all("bin/cv" in each.why for each in offer.apart)
