"""What pip could not read either is refused; what it reads is not, however it is written."""

from __future__ import annotations

import pytest

from tonnage.errors import UsageError
from tonnage.lint.text_files import refuse_no_requirements


@pytest.mark.parametrize(
    "text",
    [
        "torch = = 1\n",
        "{{ requirements }}\n",
        "flask\n--index-url\n",
        "-r r.txt\n",
        "<<<<<<< HEAD\nflask\n",
        "a\x00b\n",
    ],
)
def test_what_does_not_parse_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        refuse_no_requirements(text, "r.txt")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\ufeffflask\r\n",
        "-r other.txt\n-c ../limits.txt\n-e .[dev]\n./wheels/a.whl\n",
        "torch==2.3.1 --index-url https://example.org/whl/cpu\n",
        "a @ git+https://example.org/a.git@main#egg=a ; python_version > '3'  # why\n",
        "torch \\\n    ==2.3.1 \\\n    --hash=sha256:aa\n",
        "${NAME}==1\nflask==${VERSION}\n",
        "\n".join(f"package-{number}==1" for number in range(30_000)),
        "flask # gr\udcfc\n",
    ],
)
def test_what_parses_is_taken(text: str) -> None:
    refuse_no_requirements(text, "r.txt")
