"""The JSON Schemas as files: ``python -m tests.docs.schemas`` renews ``docs/schemas``; a test compares them."""

from __future__ import annotations

import json
from pathlib import Path

from tonnage.views.json.schemas import schemas

DIRECTORY = Path(__file__).resolve().parents[2] / "docs" / "schemas"


def texts() -> dict[str, str]:
    """Return the text of each file by its name."""
    return {f"{name}.json": json.dumps(schema, indent=1) + "\n" for name, schema in schemas().items()}


if __name__ == "__main__":
    for file, text in texts().items():
        (DIRECTORY / file).write_text(text)
