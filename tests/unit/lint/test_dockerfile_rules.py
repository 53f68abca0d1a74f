from __future__ import annotations

import pytest

from tonnage.lint.dockerfiles import dockerfile_findings
from tonnage.lint.fixing import with_edits, with_fixes
from tonnage.lint.rules import DOCKERFILE_RULES
from tonnage.model.forecast.finding import Safety


def rules_in(text: str) -> list[str]:
    """Return the rules that find something, for a Dockerfile or its instructions behind a FROM."""
    whole = (
        text
        if "FROM " in text.split("RUN", maxsplit=1)[0].split("COPY", maxsplit=1)[0]
        else f"FROM debian:bookworm-slim\n{text}"
    )
    return [each.rule for each in dockerfile_findings(f"{whole}\n", "Dockerfile")]


def fix(text: str, *rules: str) -> str:
    """Return a Dockerfile with what is safe fixed, or with what some rules find."""
    done = with_fixes(
        text,
        lambda each: dockerfile_findings(each, "Dockerfile"),
        lambda each: each.rule in rules if rules else each.fix is not None and each.fix.safety is Safety.SAFE,
    )
    return done.text


@pytest.mark.parametrize("rule", DOCKERFILE_RULES, ids=lambda rule: rule.name)
def test_a_rule_finds_what_its_page_shows_and_not_what_it_advises(rule: object) -> None:
    name = rule.name  # type: ignore[attr-defined]
    before, after = rule.before, rule.after  # type: ignore[attr-defined]
    assert name in rules_in(before)
    assert name not in rules_in(after if after.startswith(("FROM", "RUN", "COPY")) else "RUN true")


@pytest.mark.parametrize(
    "text",
    [
        # hadolint#497, #723, #943, #983, #1095, #1123: mounts count.
        "RUN --mount=type=cache,target=/root/.cache/pip pip install flask",
        "RUN --mount=type=cache,target=/root/.cache pip install flask",
        "RUN --mount=type=tmpfs,target=/root/.cache pip install flask",
        "RUN --mount=type=cache,id=p,sharing=locked,target=/root/.cache/pip python3 -m pip install -r r.txt",
        "ENV PIP_NO_CACHE_DIR=1\nRUN pip install flask",
        "ARG PIP_NO_CACHE_DIR=off\nENV PIP_NO_CACHE_DIR=1\nRUN pip install flask",
        "RUN PIP_NO_CACHE_DIR=1 pip install flask",
        "RUN pip config set global.no-cache-dir true && pip install flask",
        "RUN pip install flask && rm -rf /root/.cache",
        "RUN pip install flask && rm -rf ~/.cache/pip",
        "RUN pip install flask && pip cache purge",
        "RUN echo 'pip install flask'",
        "RUN pip --version && pip list",
        "USER app\nRUN pip install flask && rm -rf /home/app/.cache",
    ],
)
def test_a_pip_cache_that_is_in_no_layer_is_no_finding(text: str) -> None:
    assert "pip-cache" not in rules_in(text)


@pytest.mark.parametrize(
    "text",
    [
        "RUN rm -rf /root/.cache && pip install flask",
        "RUN --mount=type=cache,target=/var/cache/apt pip install flask",
        "RUN --mount=type=bind,source=r.txt,target=/r.txt pip install -r /r.txt",
        "RUN python3.11 -m pip install flask",
        "RUN /opt/venv/bin/pip install flask",
        "RUN pip install flask; rm -rf /tmp/x",
        "RUN pip wheel -w /wheels flask",
    ],
)
def test_a_pip_cache_in_the_layer_is_found_and_mended(text: str) -> None:
    assert "pip-cache" in rules_in(text)
    fixed = fix(f"FROM debian\n{text}\n", "pip-cache")
    assert fixed.count("--no-cache-dir") == 1
    assert "pip-cache" not in rules_in(fixed)


@pytest.mark.parametrize(
    "text",
    [
        "RUN --mount=type=cache,target=/var/lib/apt apt-get update && apt-get install -y --no-install-recommends curl",
        "RUN --mount=type=cache,target=/var/lib/apt/lists,sharing=locked apt-get update",
        "RUN --mount=type=tmpfs,target=/var/lib/apt/lists apt-get update",
        "RUN apt-get update && apt-get install -y --no-install-recommends curl && rm -rf /var/lib/apt/lists/*",
        "RUN apt-get update && apt-get install -y --no-install-recommends curl ; rm -fr /var/lib/apt/lists",
        "RUN apt-get update && apt-get install -y --no-install-recommends curl && apt-get distclean",
        "RUN apt-get update && apt-get install -y --no-install-recommends curl && cd /var/lib/apt && rm -rf lists/*",
    ],
)
def test_package_lists_that_are_in_no_layer_are_no_finding(text: str) -> None:
    assert "apt-lists" not in rules_in(text)


def test_lists_that_are_cleaned_before_they_are_fetched_are_found() -> None:
    # hadolint#957.
    assert "apt-lists" in rules_in("RUN rm -rf /var/lib/apt/lists/* && apt-get update && apt-get install -y curl")


def test_lists_that_a_later_instruction_installs_from_stay() -> None:
    text = "FROM debian\nRUN apt-get update\nRUN apt-get install -y --no-install-recommends curl\n"
    assert "apt-lists" in rules_in(text)
    assert fix(text) == text
    above = "FROM debian AS base\nRUN apt-get update\nFROM base\nRUN apt-get install -y --no-install-recommends curl\n"
    assert fix(above) == above


@pytest.mark.parametrize(
    "text",
    [
        "RUN apk add --no-cache curl",
        "RUN apk --no-cache add curl",
        "RUN --mount=type=cache,target=/var/cache/apk apk add curl",
        "RUN apk add --update curl && rm -rf /var/cache/apk/*",
        "RUN apk update && apk add --no-cache curl && rm -rf /var/cache/apk/*",
        "RUN dnf install -y make && dnf clean all",
        "RUN microdnf install -y make && microdnf clean all",
        "RUN dnf install -y make && rm -rf /var/cache/dnf",
        "RUN --mount=type=cache,target=/var/cache/dnf dnf install -y make",
        "RUN yum -y install make && yum clean all && rm -rf /var/cache/yum",
        "RUN zypper install -y make && zypper clean",
        "RUN yarn install && yarn cache clean",
        "RUN --mount=type=cache,target=/usr/local/share/.cache yarn install",
    ],
)
def test_caches_of_other_managers_that_are_in_no_layer_are_no_finding(text: str) -> None:
    assert "package-cache" not in rules_in(text)


@pytest.mark.parametrize(
    ("text", "fixed"),
    [
        ("RUN apk add curl", "RUN apk add --no-cache curl"),
        ("RUN dnf -y install make", "RUN dnf -y install make && dnf clean all"),
        ("RUN dnf clean all && dnf -y install make", "RUN dnf clean all && dnf -y install make && dnf clean all"),
        ("RUN zypper in -y make", "RUN zypper in -y make && zypper clean --all"),
        ("RUN conda install -y numpy", "RUN conda install -y numpy && conda clean -afy"),
        ("RUN useradd -u 1000700000 app", "RUN useradd --no-log-init -u 1000700000 app"),
    ],
)
def test_what_is_safe_is_mended(text: str, fixed: str) -> None:
    assert fix(f"FROM x\n{text}\n") == f"FROM x\n{fixed}\n"


def test_a_wheelhouse_is_lent_to_the_instruction_that_installs_it() -> None:
    text = (
        "FROM python:3.12-slim AS build\nRUN pip wheel --no-cache-dir -w /wheels flask\n"
        "FROM python:3.12-slim\n# the wheels\nCOPY --from=build /wheels /wheels\n"
        "RUN pip install --no-cache-dir --no-index /wheels/* \\\n    && rm -rf /wheels \\\n    && echo done\n"
    )
    assert fix(text) == (
        "FROM python:3.12-slim AS build\nRUN pip wheel --no-cache-dir -w /wheels flask\n"
        "FROM python:3.12-slim\n# the wheels\n"
        "RUN --mount=from=build,source=/wheels,target=/wheels pip install --no-cache-dir --no-index /wheels/* \\\n"
        "    && echo done\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        # Two instructions need it.
        (
            "COPY --from=b /wheels /wheels\nRUN pip install --no-cache-dir /wheels/a.whl\n"
            "RUN pip install --no-cache-dir /wheels/b.whl && rm -rf /wheels"
        ),
        # A pattern, an owner or another builder's stage cannot be lent so.
        "COPY --from=b /wheels/*.whl /wheels/\nRUN pip install --no-cache-dir /wheels/*.whl && rm -rf /wheels",
        "COPY --from=b --chown=1:1 /wheels /wheels\nRUN pip install --no-cache-dir /wheels/* && rm -rf /wheels",
        # The exec form has no place for it.
        'COPY --from=b /wheels /wheels\nRUN ["rm", "-rf", "/wheels"]',
    ],
)
def test_what_cannot_be_lent_is_told_and_stays(text: str) -> None:
    whole = f"FROM debian AS b\nFROM python:3.12-slim\n{text}\n"
    assert "removed-later" in rules_in(whole)
    assert fix(whole) == whole


def test_a_download_is_removed_where_it_is_made() -> None:
    text = (
        "FROM debian\nRUN curl -o /tmp/a.tgz https://example.org/a && tar -xf /tmp/a.tgz -C /srv\nRUN rm /tmp/a.tgz\n"
    )
    assert fix(text) == (
        "FROM debian\nRUN curl -o /tmp/a.tgz https://example.org/a && tar -xf /tmp/a.tgz -C /srv && rm -rf /tmp/a.tgz\n"
    )


def test_a_download_that_another_instruction_reads_is_only_told() -> None:
    text = (
        "FROM debian\nRUN curl -o /tmp/a.tgz https://example.org/a\nRUN tar -xf /tmp/a.tgz -C /srv\nRUN rm /tmp/a.tgz\n"
    )
    assert "removed-later" in rules_in(text)
    assert fix(text) == text


def test_the_owner_of_copied_files_is_said_at_the_copy() -> None:
    text = "FROM debian\nRUN useradd app\nCOPY . /srv\nRUN chown -R app:app /srv\n"
    # The group of a user is made with it.
    assert (
        fix(text, "changed-later")
        == "FROM debian\nRUN useradd app\nCOPY --chown=app:app . /srv\nRUN chown app:app /srv\n"
    )
    later = "FROM debian\nCOPY . /srv\nRUN useradd app\nRUN chown -R app:app /srv\n"
    assert fix(later, "changed-later") == later


def test_consecutive_instructions_are_no_finding() -> None:
    # DL3059: merging them saves nothing by itself.
    assert not rules_in("RUN echo a > /a\nRUN echo b > /b\nRUN mkdir /c")


@pytest.mark.parametrize(
    "comment",
    [
        "# hadolint ignore=DL3042\n",
        "# hadolint ignore=DL3008,DL3042\n",
        "# tonnage: ignore=pip-cache\n",
        "# tonnage ignore=DL3042\n# why: it is small\n",
        "# tonnage: ignore\n",
    ],
)
def test_comments_above_an_instruction_leave_its_findings_out(comment: str) -> None:
    text = f"FROM debian\n{comment}RUN apt-get clean \\\n    && pip install flask\nRUN pip install flask\n"
    found = [each.place.line for each in dockerfile_findings(text, "Dockerfile") if each.rule == "pip-cache"]
    assert found == [text.count("\n")]


@pytest.mark.parametrize("comment", ["# hadolint global ignore=DL3042", "# tonnage: ignore-file=pip-cache"])
def test_comments_for_a_file_leave_a_rule_out(comment: str) -> None:
    assert "pip-cache" not in rules_in(f"{comment}\nFROM debian\nRUN pip install flask")


def test_comments_about_other_rules_change_nothing() -> None:
    assert "pip-cache" in rules_in("# hadolint ignore=DL3009\nRUN pip install flask")


@pytest.mark.parametrize(
    ("text", "fixed"),
    [
        (
            "FROM debian\r\nRUN apt-get update \\\r\n    && apt-get install -y --no-install-recommends curl\r\n",
            (
                "FROM debian\r\nRUN apt-get update \\\r\n    && apt-get install -y --no-install-recommends curl \\\r\n"
                "    && rm -rf /var/lib/apt/lists/*\r\n"
            ),
        ),
        (
            "# escape=`\nFROM debian\nRUN apt-get update `\n  && apt-get install -y --no-install-recommends curl",
            (
                "# escape=`\nFROM debian\nRUN apt-get update `\n"
                "  && apt-get install -y --no-install-recommends curl `\n"
                "  && rm -rf /var/lib/apt/lists/*"
            ),
        ),
        (
            "FROM a\nRUN <<EOF\napt-get update\npip install flask\nEOF\n",
            "FROM a\nRUN <<EOF\napt-get update\npip install --no-cache-dir flask && rm -rf /var/lib/apt/lists/*\nEOF\n",
        ),
        (
            (
                "\ufeffFROM debian\nRUN apt-get update && \\\n    # a\n    apt-get install -y --no-install-recommends"
                " \\\n      curl\n"
            ),
            (
                "\ufeffFROM debian\nRUN apt-get update && \\\n    # a\n    apt-get install -y --no-install-recommends"
                " \\\n      curl \\\n    && rm -rf /var/lib/apt/lists/*\n"
            ),
        ),
    ],
)
def test_line_ends_continuations_and_comments_stay_as_they_are(text: str, fixed: str) -> None:
    assert fix(text) == fixed


@pytest.mark.parametrize(
    "text",
    [
        'RUN bash -c "pip install flask"',
        'RUN ["pip", "install", "flask"]',
        "RUN eval 'pip install flask'",
        "RUN for p in a b; do pip install $p; done | tee /log &",
    ],
)
def test_what_has_no_place_of_its_own_is_told_and_stays(text: str) -> None:
    whole = f"FROM debian\n{text}\n"
    assert "pip-cache" in rules_in(whole)
    fixed = fix(whole)
    assert fixed == whole or fixed.count("--no-cache-dir") == 1


def test_edits_that_overlap_are_refused() -> None:
    found = dockerfile_findings("FROM debian\nRUN pip install a\n", "Dockerfile")
    fix = found[0].fix
    assert fix is not None
    assert with_edits("FROM debian\nRUN pip install a\n", (*fix.edits, *fix.edits)).count("--no-cache-dir") == 1


@pytest.mark.parametrize(
    ("text", "fixable"),
    [
        ("RUN apt-get update && apt-get install -y curl # why", False),
        ("RUN apt-get update && apt-get install -y 'a #b'", True),
        ("RUN <<EOF\napt-get update # first\napt-get install -y curl\nEOF", True),
        ("RUN <<EOF\napt-get update\n# the end\nEOF", False),
    ],
)
def test_a_comment_at_the_end_of_a_script_leaves_no_place_for_a_command(text: str, *, fixable: bool) -> None:
    [found] = [each for each in dockerfile_findings(f"FROM debian\n{text}\n", "Dockerfile") if each.rule == "apt-lists"]
    assert (found.fix is not None) is fixable
    assert ("rm -rf" in fix(f"FROM debian\n{text}\n", "apt-lists")) is fixable
