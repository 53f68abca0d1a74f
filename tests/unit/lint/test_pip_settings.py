"""pip's own files of settings turn its cache off as its variables do, wherever a Dockerfile writes them."""

from __future__ import annotations

import pytest

from tonnage.forecast.commands.settings_of_pip import turns_cache_off
from tonnage.lint.dockerfiles import dockerfile_findings

BASE = "FROM python:3.11-slim AS base\n"
OFF = "[global]\nno-cache-dir = true\n"
PRINTED = "printf '[global]\\nno-cache-dir=true\\n'"
CONTEXT = {"pip.conf": OFF, "conf/pip.conf": OFF, "my.ini": OFF.replace("true", "yes"), "run.sh": "pip install a\n"}


def found(text: str) -> list[str]:
    findings = dockerfile_findings(text, "Dockerfile", context_text=CONTEXT.get)
    return [each.rule for each in findings if each.rule == "pip-cache"]


@pytest.mark.parametrize(
    "text",
    [
        f"RUN cat > /etc/pip.conf <<EOF\n{OFF}EOF\nRUN pip install a\n",
        f"RUN <<EOF\n{PRINTED} > /etc/pip.conf\npip install a\nEOF\n",
        f"RUN {PRINTED} > /etc/pip.conf && pip install a\n",
        f"RUN {PRINTED} | tee /etc/pip.conf && pip install a\n",
        (
            "RUN echo '[install]' > /root/.config/pip/pip.conf \\\n"
            " && echo 'no-cache-dir = 1' >> ~/.config/pip/pip.conf\n"
            "RUN pip install a\n"
        ),
        f"RUN mkdir -p ~/.config/pip && {PRINTED} > ~/.config/pip/pip.conf\nRUN pip install a\n",
        f"COPY <<EOF /etc/pip.conf\n{OFF}EOF\nRUN pip install a\n",
        "COPY pip.conf /etc/pip.conf\nRUN pip install a\n",
        "COPY conf/ /etc/\nRUN pip install a\n",
        "COPY my.ini /opt/my.ini\nENV PIP_CONFIG_FILE=/opt/my.ini\nRUN pip install a\n",
        "ENV VIRTUAL_ENV=/venv\nCOPY pip.conf /venv/pip.conf\nRUN pip install a\n",
        "RUN --mount=type=bind,source=pip.conf,target=/etc/pip.conf pip install a\n",
        "COPY pip.conf /etc/\nFROM base\nRUN pip install a\n",
        "COPY pip.conf /x/pip.conf\nFROM debian\nCOPY --from=base /x/pip.conf /etc/pip.conf\nRUN pip install a\n",
    ],
)
def test_an_install_whose_settings_turn_the_cache_off_is_no_finding(text: str) -> None:
    assert not found(BASE + text)


@pytest.mark.parametrize(
    "text",
    [
        f"RUN {PRINTED} > /etc/pip.conf\nRUN rm /etc/pip.conf && pip install a\n",
        "ENV PIP_CONFIG_FILE=/dev/null\nCOPY pip.conf /etc/pip.conf\nRUN pip install a\n",
        "RUN printf '[global]\\nindex-url=https://example.org\\n' > /etc/pip.conf && pip install a\n",
        "COPY pip.conf /srv/pip.conf\nRUN pip install a\n",
        "COPY pip.conf /home/other/.config/pip/pip.conf\nRUN pip install a\n",
        f"RUN test -e /x || {PRINTED} > /etc/pip.conf\nRUN pip install a\n",
        "COPY missing.conf /etc/pip.conf\nRUN pip install a\n",
    ],
)
def test_an_install_that_reads_no_such_setting_is_a_finding(text: str) -> None:
    assert found(BASE + text) == ["pip-cache"]


def test_scripts_of_the_context_are_not_looked_into() -> None:
    assert not found(BASE + "COPY run.sh /run.sh\nRUN sh /run.sh\n")


@pytest.mark.parametrize("text", ["", "[global", "no-cache-dir = true", "[global]\nno-cache-dir = perhaps\n", "\x00"])
def test_what_says_nothing_of_the_cache_is_taken_for_nothing(text: str) -> None:
    assert not turns_cache_off(text)
