"""Records what two versions of Compose make of the corpus. ``script/record-compose`` calls it with their programs."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.compose.cases import DIRECTORY, HERE, NEWER, OF, OLDER, cases, recorded, told

if TYPE_CHECKING:
    from tests.compose.cases import Case

_REFUSED = "refused"


def printed(program: str, case: Case) -> dict[str, Any]:
    """Return what one Compose makes of a case: its form, or why it refuses."""
    with tempfile.TemporaryDirectory() as parent:
        # The name of the project follows from that of the directory.
        directory = Path(parent) / Path(DIRECTORY).name
        for name, text in case.files.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode("utf-8", "surrogateescape"))
        command = [program]
        command += [part for name in case.named for part in ("-f", name)]
        command += [part for name in case.profiles for part in ("--profile", name)]
        done = subprocess.run(
            [*command, "config", "--format", "json"],
            cwd=directory,
            env={"PATH": os.defpath, **case.variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=60,
        )
    answer, why = (
        text.decode("utf-8", "replace").replace(parent, str(Path(DIRECTORY).parent))
        for text in (done.stdout, done.stderr)
    )
    if done.returncode:
        # The last line says why, those before it are warnings; pointers and times differ from run to run.
        lines = [line for line in why.strip().splitlines() if not line.startswith("time=")] or ["nothing said"]
        return {_REFUSED: re.sub(r"0x[0-9a-f]+", "0x", " ".join(lines))[:100]}
    # Every dollar sign is doubled, wherever it stands.
    form: dict[str, Any] = json.loads(answer.replace("$$", "$"))
    return told({"services": {}, **form})


def main() -> None:
    """Write the recordings of all cases, or of some kinds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--newer", required=True)
    parser.add_argument("--older", required=True)
    parser.add_argument("--new", action="store_true", help="keep what is recorded of the same inputs")
    parser.add_argument("kinds", nargs="*")
    asked = parser.parse_args()
    by_kind: dict[str, list[Case]] = {}
    for case in cases():
        by_kind.setdefault(case.kind, []).append(case)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for kind in asked.kinds or by_kind:
            known = recorded(kind) if asked.new else {}
            wanted = [case for case in by_kind[kind] if known.get(case.name, {}).get(OF) != case.digest]
            answers = pool.map(lambda case: (printed(asked.newer, case), printed(asked.older, case)), wanted)
            for case, (newer, older) in zip(wanted, answers, strict=True):
                same = newer == older or (_REFUSED in newer and _REFUSED in older)
                known[case.name] = {OF: case.digest, NEWER: newer} | ({} if same else {OLDER: older})
            lines = (
                f"{json.dumps(case.name)}: {json.dumps(known[case.name], sort_keys=True, ensure_ascii=True)}"
                for case in by_kind[kind]
            )
            (HERE / "recorded" / f"{kind}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
