"""What makes changes dear: sources before installs, PyTorch twice, weights in images."""

from __future__ import annotations

import pytest
from tests.unit.lint.test_dockerfile_rules import fix, rules_in

BASE = "FROM python:3.12-slim\nWORKDIR /srv\n"


PIP = "RUN pip install --no-cache-dir -r"
APT = "RUN apt-get update && apt-get install -y --no-install-recommends git && rm -rf /var/lib/apt/lists/*"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            ["COPY . .", f"{PIP} requirements.txt", "CMD x"],
            ["COPY requirements.txt /srv/requirements.txt", f"{PIP} requirements.txt", "COPY . .", "CMD x"],
        ),
        (
            ["COPY --chown=7 ./ /srv/", APT, f"{PIP} /srv/a/a.txt -r b.txt"],
            [
                "COPY a/a.txt /srv/a/a.txt", "COPY b.txt /srv/b.txt", APT, f"{PIP} /srv/a/a.txt -r b.txt",
                "COPY --chown=7 ./ /srv/",
            ],
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("end", ["", "\n"])
def test_requirement_files_are_copied_first(before: list[str], after: list[str], end: str) -> None:
    assert fix(BASE + "\n".join(before) + end, "copied-before-install") == BASE + "\n".join(after) + end


@pytest.mark.parametrize(
    "text",
    [
        "COPY requirements.txt .\nRUN pip install -r requirements.txt\nCOPY . .",
        "COPY . .\nRUN pip install .",
        "COPY . .\nRUN pip install -r requirements.txt -e .",
        "COPY src src\nRUN pip install -r requirements.txt",
        "COPY . /app\nRUN pip install -r /srv/requirements.txt",
    ],
)
def test_an_install_that_needs_the_sources_or_has_none_before_it_is_no_finding(text: str) -> None:
    assert "copied-before-install" not in rules_in(BASE + text)


def test_what_runs_in_between_is_told_and_left() -> None:
    text = f"{BASE}COPY . .\nRUN ./configure\nRUN pip install --no-cache-dir -r requirements.txt\n"
    assert "copied-before-install" in rules_in(text)
    assert fix(text, "copied-before-install") == text


@pytest.mark.parametrize(
    ("text", "finds"),
    [
        ("RUN pip install torch==2.3.1\nRUN pip install torch==2.3.1+cpu", True),
        ("RUN pip install torch==2.3.1\nRUN pip install torch==2.4.0 flask", True),
        ("RUN pip install torch\nRUN pip install -U torch --index-url https://download.pytorch.org/whl/cpu", True),
        ("RUN pip install torch==2.3.1+cpu\nRUN pip install torch==2.3.1 flask", False),
        ("RUN pip install torch==2.3.1\nRUN pip install torch", False),
        ("RUN pip install torch==2.3.1 && pip install torch==2.4.0", False),
        ("RUN pip install torch==2.3.1\nFROM python:3.12-slim\nRUN pip install torch==2.4.0", False),
    ],
)
def test_a_later_install_of_another_torch_is_found(text: str, finds: bool) -> None:  # noqa: FBT001 - a case
    assert ("torch-replaced" in rules_in(BASE + text)) is finds


@pytest.mark.parametrize(
    ("text", "finds"),
    [
        ("COPY weights/*.safetensors /models/", True),
        ("COPY pytorch_model.bin /models/", True),
        ("ADD https://example.org/a/model.gguf /models/", True),
        ("RUN curl -L -o /m.pt https://example.org/m.pt", True),
        ("RUN huggingface-cli download a/b", True),
        ("RUN hf download a/b --local-dir /m", True),
        ("RUN python -c \"from transformers import AutoModel; AutoModel.from_pretrained('a/b')\"", True),
        ("RUN --mount=type=cache,target=/root/.cache hf download a/b", False),
        ("RUN git clone https://huggingface.co/a/b /m", True),
        ("COPY app.py data.bin /srv/", False),
        ("RUN python -c 'print(1)'", False),
    ],
)
def test_weights_in_the_image_are_found(text: str, finds: bool) -> None:  # noqa: FBT001 - a case
    assert ("weights-inside" in rules_in(BASE + text)) is finds
