"""What a service could share: what pip puts into the Python of an official image; in doubt nothing, and why."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from tests.unit.decide.share.offering import SOURCE, forecast_of, offered

from tonnage.decide.share.offers import COPIED, offer_of
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
        'RUN PIP_NO_CACHE_DIR=1 pip install "torch>=1" "flask>0" >/dev/null 2>&1',
        "RUN apt-get update && apt-get install -y sudo && pip install torch flask 2>&1",
        "RUN pip list\nRUN pip install torch flask\nRUN pip freeze > /installed.txt",
        "COPY --from=example/tool /tool /usr/local/bin/\nRUN pip install torch flask",
    ],
)
def test_what_pip_puts_into_the_python_of_the_image_can_be_shared(tmp_path: Path, lines: str) -> None:
    assert sorted(names(tmp_path, lines)) == ["flask", "numpy", "torch"]


@pytest.mark.parametrize(
    "syntax", ["docker/dockerfile:1", "docker.io/docker/dockerfile:1.4", "docker/dockerfile:1.7.1-labs"]
)
def test_frontends_that_know_other_bases_keep_nothing_apart(tmp_path: Path, syntax: str) -> None:
    offer = offered(tmp_path, f"# syntax={syntax}\n{FROM}RUN pip install torch")
    assert [each.name for each in offer.wheels] == ["torch", "numpy"]


def test_an_official_image_is_known_by_its_whole_name(tmp_path: Path) -> None:
    offer = offered(tmp_path, "FROM docker.io/library/python:3.11-slim\nRUN pip install torch")
    assert [each.name for each in offer.wheels] == ["torch", "numpy"]


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
        ("USER 1000\nRUN pip install torch", "a USER other than root"),
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
        ("RUN pip install torch && rm -rf /usr/local/lib/python3.11/site-packages/torch/test", "place of"),
        ("RUN pip install torch\nRUN chown -R 1000 /usr/local", "removes or changes"),
        ("COPY . /usr/local/lib/python3.11/site-packages/\nRUN pip install torch", "before it is installed"),
        ("RUN pip install --no-build-isolation torch", "--no-build-isolation"),
        ("RUN pip install --no-build-isolation --target /x numpy\nRUN pip install torch", "not known: pip install"),
        ("COPY pip.conf /etc/\nRUN pip install torch", "/etc/pip.conf"),
        ("RUN mkdir /root/.pip && echo [global] > /root/.pip/pip.conf\nRUN pip install torch", "/root/.pip/pip.conf"),
        ("ENV HOME=/h\nCOPY pip.conf /h/.config/pip/pip.conf\nRUN pip install torch", "/h/.config/pip/pip.conf"),
        ("RUN --mount=type=bind,source=pip.conf,target=/etc/pip.conf pip install torch", "/etc/pip.conf"),
        ("ADD settings.tar.gz /\nRUN pip install torch", "/etc/pip.conf"),
        ("RUN pip config set global.require-virtualenv true\nRUN pip install torch", "PIP_REQUIRE_VIRTUALENV is set"),
        ("RUN --mount=type=cache,target=/usr/local/lib pip install torch", "mounted over /usr/local/lib"),
        ("RUN PIP_ROOT=/x pip install torch", "it sets PIP_ROOT"),
        ("RUN export PIP_CONFIG_FILE=/x && pip install torch", "it sets PIP_CONFIG_FILE"),
        ("RUN HOME=/h pip install torch", "it sets HOME"),
        ("RUN su nobody -c 'pip install torch'", "su may have another user"),
        ("RUN --mount=type=cache,target=/c sudo -u app pip install torch", "sudo may have another user"),
        ("RUN umask 077 && pip install torch", "umask may have"),
        ("RUN pip install torch > /pip.log", "what pip says is kept"),
        ("RUN pip freeze > /before && pip install torch", "what pip says is kept"),
        ("RUN pip freeze > /before\nRUN pip install torch", "line 2 keeps what pip lists"),
        (
            "RUN pip install torch\nRUN python -m pip list | tee /x\nRUN pip install flask",
            "line 3 keeps what pip lists",
        ),
        ("RUN pip install torch | tee /pip.log", "what pip says is kept"),
        ("RUN pip install --report /r.json torch", "what pip says is kept"),
        ("RUN pip install --proxy http://example.org torch", "how to reach its index"),
        ("RUN pip --isolated install torch", "how to reach its index"),
        ("RUN ln -s /x /usr/local/lib/python3.11/site-packages/torch && pip install torch", "place of installation"),
        ("RUN pip install picky", "newer versions of picky do not fit"),
        ("RUN pip install nothing-of-that-name", "not known"),
        ("RUN echo nothing", "installs no Python packages"),
    ],
)
def test_in_doubt_nothing_is_shared_and_the_reason_is_said(tmp_path: Path, lines: str, why: str) -> None:
    for name in ("main.py", "pip.conf"):
        (tmp_path / name).write_text("[global]\n")
    (tmp_path / "settings.tar.gz").write_bytes(b"\x1f\x8b")
    assert why in whys(tmp_path, FROM + lines)


@pytest.mark.parametrize(
    ("dockerfile", "why"),
    [
        ("FROM python:3.11-alpine\nRUN pip install torch", "only official images"),
        ("FROM example.org/team/python:3.11\nRUN pip install torch", "only official images"),
        ("FROM pytorch/pytorch:2.3\nRUN pip install torch", "only official images"),
        (f"FROM python@sha256:{'a1' * 32}\nRUN pip install torch", "another library than glibc"),
        (BUILT_ELSEWHERE, "line 4 copies into /usr/local before"),
        ("FROM python:3.11\nRUN pip install torch\nCOPY --from=python:3.11 /etc/issue /x", "copied from"),
        ("FROM python:3.11 \\\n  AS one\nRUN pip install torch", "line of its FROM"),
        ("# syntax=docker/dockerfile:1.3\nFROM python:3.11\nRUN pip install torch", "docker/dockerfile:1.3 reads it"),
        ("# syntax=example/frontend:1\nFROM python:3.11\nRUN pip install torch", "example/frontend:1 reads it"),
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
        ({"args": (("BUILDKIT_SYNTAX", "example/frontend"),)}, "frontend of its own"),
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


@pytest.mark.parametrize("option", ["", "--require-hashes\n"])
def test_wheels_with_the_hashes_that_are_asked_for_can_be_shared_and_no_others(tmp_path: Path, option: str) -> None:
    digests = {name: hashlib.sha256(f"{name} 1.0".encode()).hexdigest() for name in ("torch", "numpy")}
    lines = "COPY locked.txt .\nRUN pip install -r locked.txt"

    def lock(**found: str) -> None:
        text = "".join(f"{name}==1.0 --hash=sha256:{found[name]}\n" for name in found)
        (tmp_path / "locked.txt").write_text(option + text)

    lock(**digests)
    assert sorted(names(tmp_path, lines)) == ["numpy", "torch"]
    lock(**{**digests, "numpy": "0" * 64})
    assert "another numpy than the index has" in whys(tmp_path, FROM + lines)


def test_what_is_installed_once_more_elsewhere_stays_where_it_is(tmp_path: Path) -> None:
    offer = offered(tmp_path, f"{FROM}RUN pip install torch\nRUN pip install --prefix=/other numpy")
    assert [each.name for each in offer.wheels] == ["torch"]


def test_wheels_that_own_one_path_stay_where_they_are(tmp_path: Path) -> None:
    offer = offered(tmp_path, f"{FROM}RUN pip install opencv opencv-headless")
    assert [each.name for each in offer.wheels] == ["numpy"]
    assert all("cv2/cv2.so" in each.why for each in offer.apart)


def test_a_wheel_that_owns_a_path_of_one_that_is_not_shared_stays_where_it_is(tmp_path: Path) -> None:
    offer = offered(tmp_path, f"{FROM}RUN pip install opencv odd-archive")
    assert [each.name for each in offer.wheels] == ["numpy"]
    whys = {each.what: each.why for each in offer.apart}
    assert "cv2/cv2.so" in whys["opencv"]
    assert "pip and uv make different things" in whys["odd-archive"]


def test_each_wheel_is_told_with_the_layer_that_has_it_otherwise(tmp_path: Path) -> None:
    dockerfile = f"{FROM}RUN pip install torch\nRUN pip install flask"
    found, spec = forecast_of(tmp_path, dockerfile)
    assert found.work is not None
    layers = {("0", 2): "", ("0", 3): "a layer"}
    offer = offer_of("web", spec, dockerfile, found.work, EngineKind.BUILDKIT, layers=layers)
    told = {wheel.name: layer for wheel, layer in zip(offer.wheels, offer.layers, strict=True)}
    assert told == {"torch": "", "numpy": "", "flask": "a layer"}


def test_wheels_that_make_one_command_stay_where_they_are(tmp_path: Path) -> None:
    offer = offered(tmp_path, f"{FROM}RUN pip install opencv flask")
    assert [each.name for each in offer.wheels] == ["numpy"]
    assert all("bin/cv" in each.why for each in offer.apart)


STAGED = """FROM python:3.11-slim AS builder
RUN {install}
FROM python:3.11-slim
COPY --from=builder {copied} {copied}
CMD ["python"]
"""


ON_ONE_STAGE = """FROM python:3.11 AS common
RUN mkdir /x
FROM common AS builder
RUN {build}
FROM common
RUN {run}
COPY --from=builder /x /x
"""


def test_a_stage_that_an_image_has_copies_of_is_shared_by_the_line_where_it_begins(tmp_path: Path) -> None:
    dockerfile = STAGED.format(install="pip install torch", copied="/usr/local/lib/python3.11/site-packages")
    offer = offered(tmp_path, dockerfile)
    assert [each.name for each in offer.wheels] == ["torch", "numpy"]
    assert (offer.inner, offer.base_line, offer.stage, offer.environment) == (True, 1, 0, "")
    [copy] = offer.apart
    assert (copy.what, copy.why) == ("line 4", COPIED)


def test_a_stage_alone_on_its_image_is_shared_by_the_name_of_that(tmp_path: Path) -> None:
    dockerfile = STAGED.format(install="pip install torch", copied="/usr/local/lib").replace("3.11-slim AS", "3.11 AS")
    offer = offered(tmp_path, dockerfile)
    assert (offer.inner, offer.base, offer.base_line, len(offer.wheels)) == (True, "python:3.11", 0, 2)


def test_in_a_stage_of_its_own_a_wheel_is_kept_once_and_in_an_image_of_containerd_three_times(tmp_path: Path) -> None:
    dockerfile = STAGED.format(install="pip install flask", copied="/usr/local/lib")
    [wheel] = offered(tmp_path, dockerfile, kind=EngineKind.CONTAINERD).wheels
    assert 2 * wheel.inner_bytes < wheel.kept_bytes <= 3 * wheel.inner_bytes
    [wheel] = offered(tmp_path, dockerfile).wheels
    assert wheel.inner_bytes == wheel.kept_bytes


def test_what_the_image_consists_of_goes_before_what_it_copies(tmp_path: Path) -> None:
    offer = offered(tmp_path, STAGED.format(install="pip install torch", copied="/app") + "RUN pip install flask\n")
    assert ([each.name for each in offer.wheels], offer.inner, offer.base_line) == (["flask"], False, 3)
    assert any("another stage of this service is shared" in each.why for each in offer.apart)


@pytest.mark.parametrize(
    ("dockerfile", "why"),
    [
        (STAGED.format(install="pip install --prefix=/install torch", copied="/install"), "--prefix"),
        (STAGED.format(install="pip install --target=/install torch", copied="/install"), "--target"),
        (ON_ONE_STAGE.format(build="pip install torch", run="true"), "stands on the same base"),
        (
            ON_ONE_STAGE.format(build="pip install --prefix=/x torch", run="pip install torch"),
            "stage builder stands on the same base",
        ),
        ("FROM python:3.11-alpine AS one\nRUN pip install torch\nFROM busybox\nCOPY --from=one /usr /usr", "glibc"),
    ],
)
def test_stages_that_others_stand_on_or_that_install_elsewhere_are_not_shared(
    tmp_path: Path, dockerfile: str, why: str
) -> None:
    assert why in whys(tmp_path, dockerfile)


@pytest.mark.parametrize(
    "lines",
    [
        "RUN python -m venv /opt/venv\nENV PATH=/opt/venv/bin:$PATH\nRUN pip install torch",
        "ENV VENV=/v\nRUN python3 -m venv $VENV\nENV PATH=$VENV/bin:$PATH VIRTUAL_ENV=$VENV\nRUN pip install torch",
        "RUN python -m venv /opt/venv && /opt/venv/bin/pip install torch",
        "RUN python -m venv --without-pip /v && pip --python /v/bin/python install torch",
        "WORKDIR /app\nCOPY pip.conf .\nRUN python -m venv .venv && .venv/bin/python -m pip install torch",
    ],
)
def test_what_pip_puts_into_an_environment_as_venv_makes_it_can_be_shared_there(tmp_path: Path, lines: str) -> None:
    (tmp_path / "pip.conf").write_text("[global]\n")
    offer = offered(tmp_path, FROM + lines)
    assert [each.name for each in offer.wheels] == ["torch", "numpy"], offer.apart
    assert offer.environment in {"/opt/venv", "/v", "/app/.venv"}
    assert offer.place != offered(tmp_path, f"{FROM}RUN pip install torch").place


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("RUN python -m venv --copies /v && /v/bin/pip install torch", "not known to be as python -m venv makes it"),
        ("RUN python -m venv --upgrade-deps /v && /v/bin/pip install torch", "not known to be"),
        ("RUN python -m venv /v /w && /v/bin/pip install torch", "not known to be"),
        ("RUN python3.12 -m venv /v && /v/bin/pip install torch", "not known to be"),
        ("RUN virtualenv /v && /v/bin/pip install torch", "not known to be"),
        ("RUN umask 077 && python -m venv /v\nRUN /v/bin/pip install torch", "not known to be"),
        ("USER 1000\nRUN python -m venv /v\nUSER root\nRUN /v/bin/pip install torch", "not known to be"),
        ("RUN test -d /v || python -m venv /v\nRUN /v/bin/pip install torch", "not known to be"),
        ("RUN python -m venv /a/b/v && /a/b/v/bin/pip install torch", "some other way than by WORKDIR"),
        ("COPY pip.conf /app/\nWORKDIR /app\nRUN python -m venv v && v/bin/pip install torch", "than by WORKDIR"),
        ("COPY pip.conf /v/\nRUN python -m venv /v && /v/bin/pip install torch", "pip.conf"),
        ("COPY main.py /v/\nRUN python -m venv /v && /v/bin/pip install torch", "before it is installed"),
        ("RUN python -m venv /v && /v/bin/pip install torch && chown -R 1000 /v", "removes or changes"),
        ("RUN python -m venv /v && /v/bin/pip install torch && rm -rf /v/bin", "removes or changes"),
    ],
)
def test_an_environment_that_may_be_another_one_is_not_shared(tmp_path: Path, lines: str, why: str) -> None:
    for name in ("main.py", "pip.conf"):
        (tmp_path / name).write_text("[global]\n")
    assert why in whys(tmp_path, FROM + lines)
