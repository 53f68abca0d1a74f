"""Intent: a Dockerfile with its fixes is built by a real engine as it was before, for every rule that fixes something.

Steps: programs that only write what they were asked for stand in for pip, apt-get and the like; each Dockerfile is
built as it is, fixed, and built again.
State checked: what the programs were asked for, and what the image has. The builder reads the mounts, and the shell the
lines, that fixes write.
"""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tonnage.lint.rules import CHOICES, DOCKERFILE_RULES
from tonnage.model.forecast.finding import Safety

if TYPE_CHECKING:
    from pathlib import Path

    from tests.scenarios.driving import Project

pytestmark = pytest.mark.engine

PROGRAMS = ("pip", "uv", "poetry", "apt-get", "apk", "dnf", "useradd", "curl", "chown")
TOOLS = r"""
FROM busybox:latest
RUN mkdir -p /tools /wheels /app /srv && echo wheel > /wheels/a.whl && for each in {programs}; do \
      printf '#!/bin/sh\necho "%s $*" >> /asked\ncase "$*" in *o\ /tmp/*) echo x > /tmp/a.tgz;; esac\n' \
        $each > /tools/$each; \
      chmod +x /tools/$each; done
ENV PATH=/tools:$PATH
"""
CASES = {
    "pip-cache": "RUN pip install \\\n    # what it needs\n    flask \\\n    && pip check\n",
    "uv-cache": "RUN set -e; \\\n    uv pip install --system flask; \\\n    true\n",
    "installer-cache": "ENV POETRY_VIRTUALENVS_CREATE=false\nRUN poetry install --only main\n",
    "apt-lists": "RUN apt-get update && \\\n    apt-get install -y --no-install-recommends \\\n      curl\n",
    "apt-recommends": "RUN apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/*\n",
    "apt-archives": "RUN rm -f /etc/apt/apt.conf.d/docker-clean\n"
    "RUN apt-get update && apt-get install -y --no-install-recommends git"
    " && rm -rf /var/lib/apt/lists/*\n",
    "package-cache": "RUN apk add git \\\n && apk add make\nRUN dnf install -y make\n",
    "removed-later": "COPY --from=build /wheels /w\nRUN pip install --no-cache-dir /w/* \\\n    # gone again\n"
    "    && rm -rf /w \\\n    && ls / > /seen\n"
    "RUN curl -o /tmp/a.tgz https://example.org/a.tgz && test -s /tmp/a.tgz\nRUN rm /tmp/a.tgz\n",
    "changed-later": "COPY files /data\nRUN chown -R 1000:1000 /data\n",
    "copied-archive": "COPY a.tar /tmp/a.tar\nRUN tar -xf /tmp/a.tar -C /srv\n",
    "large-base": "RUN true\n",
    "copied-before-install": "COPY . /ctx\nRUN pip install --no-cache-dir -r /ctx/req.txt\n",
    "high-user-id": "RUN useradd -u 1000700000 app\n",
    "bytecode": "RUN pip install --no-cache-dir flask\n",
    "wheel-leftovers": "ENV VIRTUAL_ENV=/venv\nRUN mkdir -p /venv/a/tests && uv pip install --no-cache flask \\\n"
    "    && ls /venv/a > /seen\nRUN ls -d /venv/a/tests || echo gone > /left\n",
}


def test_every_rule_that_mends_something_has_a_case() -> None:
    assert set(CASES) == {rule.name for rule in (*DOCKERFILE_RULES, *CHOICES) if rule.fixes is not None}


@pytest.mark.parametrize(
    "crlf",
    [False, pytest.param(True, marks=pytest.mark.long("another end of lines is built once"))],
    ids=["lf", "crlf"],
)
def test_a_mended_dockerfile_is_built_and_does_the_same(project: Project, *, crlf: bool) -> None:
    context = project.directory / "web"
    (context / "files").mkdir(parents=True)
    (context / "files" / "one").write_text("x")
    (context / "req.txt").write_text("flask\n")
    subprocess.run(["tar", "-cf", "a.tar", "files"], cwd=context, check=True)
    tools = TOOLS.format(programs=" ".join(PROGRAMS))
    stages = [f"{tools}\nRUN true\n".replace("FROM busybox:latest", "FROM busybox:latest AS build")]
    # large-base changes an image that is not here: what it writes is looked at without a build.
    cases = {rule: text for rule, text in CASES.items() if rule != "large-base"}
    stages += [f"FROM build AS {rule}\nRUN : > /asked\n{text}" for rule, text in cases.items()]
    stages.append("FROM busybox:latest\n" + "".join(f"COPY --from={each} /asked /{each}.asked\n" for each in cases))
    stages.append("COPY --from=wheel-leftovers /asked /left* /")
    before = "\n".join(stages)
    (context / "Dockerfile").write_text(before.replace("\n", "\r\n") if crlf else before, newline="")
    asked = built(project, context, "before")

    rules = [f"--fix={rule.name}" for rule in (*DOCKERFILE_RULES, *CHOICES) if rule.fixes is Safety.DECISION]
    ended = project.tonnage("lint", "--no-prices", "--fix=safe", *rules, "web/Dockerfile")
    assert ended.exit_code == 0, ended.stderr
    fixed = (context / "Dockerfile").read_bytes().decode()
    assert fixed.count("\r\n") == (fixed.count("\n") if crlf else 0)
    again = built(project, context, "after")

    assert "--mount=from=build,source=/wheels,target=/w " in fixed.replace(",rw", "")
    assert "# gone again" in fixed
    assert project.docker("run", "--rm", f"{project.name}/after", "cat", "/left").strip() == "gone"
    # What fixes add is taken off again.
    added = r" --(?:no-cache-dir|no-cache|no-install-recommends|no-log-init|no-compile)(?= |$)"
    kept = re.sub(
        added, "", re.sub(r"^(?:apt-get clean|dnf clean all)\n", "", again, flags=re.MULTILINE), flags=re.MULTILINE
    )
    assert kept.replace("chown 1000", "chown -R 1000") == re.sub(added, "", asked, flags=re.MULTILINE)


def built(project: Project, context: Path, tag: str) -> str:
    """Build the image; return what its programs were asked for, instruction by instruction."""
    name = f"{project.name}/{tag}"
    project.docker("build", "--quiet", "--tag", name, str(context))
    return project.docker("run", "--rm", name, "sh", "-c", "for each in /*.asked; do echo $each; cat $each; done")
