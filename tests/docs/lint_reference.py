"""Writes the page about rules from the rules themselves: ``python -m tests.docs.lint_reference``."""

# ruff: noqa: E501 - the page has longer lines

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING

from tonnage.lint.rules import DOCKERFILE_RULES, REQUIREMENT_RULES, RULES
from tonnage.model.forecast.finding import Safety

if TYPE_CHECKING:
    from tonnage.model.reports.lint import RuleText

HEAD = """\
# What `tonnage lint` finds

This page is generated from the rules: `python -m tests.docs.lint_reference > docs/lint.md`.

`tonnage lint` reads Dockerfiles, requirement files, GitHub workflows, and the services of a stack together. It lists what wastes disk space, the
largest saving first. A saving is the difference of two forecasts for an empty engine: the stack as it is, and the stack with the fix. The word
beside it is its confidence, as in [forecast.md](forecast.md). A file that no service is built from has no saving; with `--no-prices` none has.

`--fix` applies the safe fixes: the image does the same afterwards. `--fix=RULE` also applies those of a rule that need your decision. Both show
the diff first; `--dry-run` only shows it. A fix changes nothing else: comments, order, line ends and line continuations stay, and a fix that
would change another command is not made. A finding that no fix can reach, such as a command inside `bash -c "..."`, is shown and stays.

To ignore findings, put a comment above an instruction or between its lines: `# tonnage: ignore=RULE` for some rules, `# tonnage: ignore` for all,
or `# hadolint ignore=DL3042` as hadolint reads it. For a whole file use `# tonnage: ignore-file=RULE` or `# hadolint global ignore=DL3042`.

A file that has the name of a Dockerfile, requirement file, workflow or compose file but is not one is reported with its line. The other
files are still checked, and the exit code is 2. A Dockerfile in `dockerfile_inline` of a compose file is checked in place; its findings have no saving and no
fix.

## What looks like waste and is not

- **Several RUN in a row** (DL3059, DD005): a layer costs no bytes by itself. Merging saves space only if one instruction removes what
  another one made, which is `removed-later`. Otherwise images share less, because a layer is shared as a whole or not at all.
- **Removing in a later layer** hides files and keeps their bytes.
- **A cache mount** (`prefer-package-cache-mounts`) keeps packages out of the image and on the disk of whoever builds: see `cache-mount`.

## Differences to hadolint

| its rule | here |
|---|---|
| DL3042 | also `uv` (`uv-cache`); a cache that the same RUN removes behind the install, on any mount, or turned off by the environment or by a `pip.conf` that the Dockerfile writes or copies, is no finding |
| DL3009 | lists that a later instruction installs from are told and never removed; what is cleaned before the update is a finding |
| DL3015 | settings of apt that turn recommends off count; `apt install` is found as `apt-get install` is |
| DL3019, DL3032, DL3036, DL3040, DL3060 | one rule, `package-cache`; cache and tmpfs mounts count; npm and conda, which hadolint has no rule for, are found; `rm -rf /var/cache/apk/*` behind `apk add` leaves nothing, and is no finding |
| DL3046 | the size of the file is told |
| any, in `ONBUILD` | not found: the image that has it has none of it yet |
| DL3059 | never found: it saves nothing by itself |
| DL3067 | not found on an empty image, where it makes one layer of many |

On the 150 Dockerfiles of `bench/dockerfiles` and the examples below, 2066 of 2090 judgements of hadolint 2.15.1 and `tonnage lint` on these
rules are the same (`python bench/lint_agreement.py PATH-OF-HADOLINT`). The other 24 are those of `apt` (2), of npm and conda (20), and of
`rm` behind `apk` (2).

## Prices beside what is measured

The shapes of pull requests of 2026 that one rule alone made, with wheels that unpack to 160 MB each, on Docker 20.10: what `lint` said before
anything was built, and what the disk held less after both were (`bench/lint_shapes.py --base $(script/base-image) --megabytes 160`).

| shape | priced before building | measured | difference |
|---|---|---|---|
| removed by the same instruction (radvel#440, mitmproxy#8410) | 108 MB | 108 MB | -0.10 % |
| removed by a later instruction (viseron#1495, miles#2795) | 108 MB | 108 MB | +0.61 % |
| found by name there (secobserve#395, NeXroll#34) | 108 MB | 108 MB | +0.60 % |
| with the cache of pip besides (parsedmarc#893) | 189 MB | 188 MB | +0.44 % |

With `--megabytes 40` the databases of the engine, which grow by some hundred kilobytes with every build, are up to 2.1 % of 23 MB.

## Rules

| rule | finds | fixed by |
|---|---|---|
"""
FIXED = {Safety.SAFE: "`--fix`", Safety.DECISION: "`--fix=RULE`", None: "a person"}


def page() -> str:
    """Return the page."""
    rows = [f"| [{each.name}](#{each.name}) | {each.title} | {FIXED[each.fixes]} |\n" for each in RULES]
    return HEAD + "".join(rows) + "".join(_section(each) for each in RULES)


def _section(rule: RuleText) -> str:
    kind = "dockerfile" if rule in DOCKERFILE_RULES else "text" if rule in REQUIREMENT_RULES else "yaml"
    names = ", ".join(f"`{each}`" for each in rule.aliases)
    other = f"\nOther linters call it {names}.\n" if names else ""
    text = textwrap.fill(rule.why, 140, break_long_words=False, break_on_hyphens=False)
    return (
        f"\n### {rule.name}\n\n{rule.title[:1].upper()}{rule.title[1:]}.\n\n{text}\n{other}"
        f"\n```{kind}\n{rule.before}\n```\n\nbecomes\n\n```{kind}\n{rule.after}\n```\n"
    )


if __name__ == "__main__":
    sys.stdout.write(page())
