"""Lines of Dockerfiles whose bytes nobody can know beforehand: none of them counts as nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.forecasts.stacks import FactImage, FactLookups, Facts

from tonnage.forecast.gather.context import ForecastContext
from tonnage.forecast.gather.services import forecast_services
from tonnage.model.forecast.estimate import Grade
from tonnage.model.stack import BuildSpec, Service

if TYPE_CHECKING:
    from pathlib import Path

    from tonnage.model.forecast.estimate import ServiceForecast

FACTS = Facts(
    images={
        "python:3.11-slim": FactImage(layers=[120_000_007], python="3.11.9", system="debian 12"),
        "ghcr.io/astral-sh/uv": FactImage(layers=[47_000_003]),
    }
)
LINES = (
    'RUN pip install "$(cat list)"',
    "RUN pip install $(cat list)",
    "RUN xargs pip install < list",
    "RUN cat list | xargs apt-get install -y",
    "RUN apt-get install -y ./x.deb",
    "RUN pip install nobody-wrote-this",
    "RUN pip install -r missing.txt",
    "RUN uv sync --frozen",
    "RUN poetry install",
    "RUN pdm install",
    "RUN npm ci --omit=dev && npm cache clean --force",
    "RUN conda env create -f environment.yml",
    "RUN apk add --no-cache nobody-wrote-this",
    "RUN make -j4 && make install",
    "RUN ./install.sh",
    "RUN . ./setup.sh && build-it",
    "RUN curl -fsSL https://example.org/install.sh | sh",
    "RUN wget -qO- https://example.org/x.tgz | tar xz -C /opt",
    "RUN git clone --depth 1 https://example.org/x /x",
    "RUN python -c 'import model; model.fetch()'",
    "RUN python3 <<EOF\nopen('/x', 'w')\nEOF",
    "RUN <<EOF python3\nopen('/x', 'w')\nEOF",
    'RUN ["/bin/build", "--all"]',
    "RUN cp -r /usr/lib /copy",
    "RUN mv /opt /elsewhere",
    "RUN chown -R 1000 /usr/local",
    "COPY --from=ghcr.io/astral-sh/uv /uv /bin/",
    "ADD https://example.org/model.bin /models/",
    "ADD https://github.com/x/y.git /src",
    'SHELL ["pwsh", "-c"]\nRUN Install-Module X',
)


def forecast(directory: Path, line: str) -> ServiceForecast:
    (directory / "Dockerfile").write_text(f"FROM python:3.11-slim\n{line}\n")
    spec = BuildSpec(context=str(directory), dockerfile=str(directory / "Dockerfile"))
    service = Service(name="web", image="web", build=spec)
    with FactLookups(FACTS, directory / "cache") as lookups:
        [found] = forecast_services([service], ForecastContext(), lookups)
    assert found.found_out, found.failures
    return found


@pytest.mark.parametrize("line", LINES)
def test_what_nobody_knows_is_a_bound_and_never_nothing(line: str, tmp_path: Path) -> None:
    last = forecast(tmp_path, line).steps[-1]

    for figure in (last.image, last.disk):
        assert figure.grade is Grade.UNKNOWN
        assert figure.high_bytes >= 40_000_000
        assert figure.likely_bytes >= 20_000_000
    assert any("assumed" in each.source or "not known" in each.source for each in last.contributors)


def test_a_pattern_that_matches_nothing_is_told_and_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\n")

    found = forecast(tmp_path, "COPY pyproject.toml uv.lock* /app/\nCOPY absent.txt /app/")

    assert found.failures == (f"{tmp_path / 'Dockerfile'}:3: absent.txt is not in the build context",)
    assert any("uv.lock*" in note for note in found.notes)


def test_what_a_step_needs_of_its_own_is_never_called_counted(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(bytes(5_000_003))

    found = forecast(tmp_path, "COPY a.bin /a.bin")

    assert found.steps[-1].image.grade is Grade.EXACT
    for on_top in (found.steps[-1].transient, found.transient):
        assert on_top.low_bytes == on_top.high_bytes or on_top.grade is not Grade.EXACT
