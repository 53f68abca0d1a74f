"""What programs make of texts that are known; each answer is that of the real program, which is asked as well."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tonnage.forecast.commands.text_programs import printed_text

if TYPE_CHECKING:
    from pathlib import Path

LINES = "torch==2.3.1\ntorchvision==0.18.1\n# torch\nnumpy<2\n-e .\nsix==1.16.0\nsix==1.16.0\n"


@pytest.mark.parametrize(
    "words",
    [
        ("cat", "r.txt"),
        ("cat", "r.txt", "r.txt"),
        ("grep", "-v", "torch", "r.txt"),
        ("grep", "-v", "^torch", "r.txt"),
        ("grep", "-vE", "^(torch|numpy)", "r.txt"),
        ("grep", "-v", "torch\\|numpy", "r.txt"),
        ("grep", "-Ev", "==[0-9.]+$", "r.txt"),
        ("grep", "-ivF", "-e", "TORCH==2.3.1", "r.txt"),
        ("grep", "-vw", "torch", "r.txt"),
        ("grep", "six==1.16.0", "r.txt"),
        ("grep", "1+6", "r.txt"),
        ("sed", "s/torch==2.3.1/torch==2.3.1+cpu/", "r.txt"),
        ("sed", "/^torch/d", "r.txt"),
        ("sed", "/^six/!d", "r.txt"),
        ("sed", "-e", "/^-e/d", "-e", "s/==.*//", "r.txt"),
        ("sed", "-E", "s/(==|<)[0-9.]+//g;/^#/d", "r.txt"),
        ("sed", "s|six|seven|g", "r.txt"),
        ("sed", "1d;$d", "r.txt"),
        ("sed", "-n", "/^six/p", "r.txt"),
        ("sed", "-n", "2p", "r.txt"),
        ("sed", "-n", "s/==.*//p", "r.txt"),
        ("sed", "-n", "/six/!p", "r.txt"),
        ("sort", "-u", "r.txt"),
        ("head", "-n", "2", "r.txt"),
        ("head", "-3", "r.txt"),
        ("printf", "%s\\n", "a==1", "b==2"),
        ("printf", "a==1\\nb\\n"),
    ],
)
def test_it_is_what_the_program_itself_prints(words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text(LINES)
    # The locale decides in which order sort puts lines.
    real = subprocess.run(
        words, cwd=tmp_path, capture_output=True, text=True, check=False, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"}
    ).stdout

    assert printed_text(words, None, {"r.txt": LINES}.get) == real


def test_what_a_program_is_fed_is_read() -> None:
    assert printed_text(("grep", "-v", "torch"), LINES, lambda _: None) == "numpy<2\n-e .\nsix==1.16.0\nsix==1.16.0\n"
    assert printed_text(("echo", "-e", "a\\nb"), None, lambda _: None) == "a\nb\n"


@pytest.mark.parametrize(
    "words",
    [
        ("awk", "{print $1}", "r.txt"),
        ("cat", "missing.txt"),
        ("cat", "-A", "r.txt"),
        ("grep", "-o", "torch", "r.txt"),
        ("grep", "a**b", "r.txt"),
        ("grep", "a*b*c*d*", "r.txt"),
        ("grep", "[[:alpha:]]", "r.txt"),
        ("grep", "\\(a\\)\\1", "r.txt"),
        ("sed", "s/a/&&/", "r.txt"),
        ("sed", "y/abc/def/", "r.txt"),
        ("sed", "-n", "p", "r.txt"),
        ("sed", "-n", "1p;2p", "r.txt"),
        ("sed", "-n", "s/==.*//", "r.txt"),
        ("sed", "s/==.*//p", "r.txt"),
        ("sed", "s/a/b/w /etc/x", "r.txt"),
        ("sed", "1,3d", "r.txt"),
        ("printf", "%05d", "7"),
        ("grep",),
        (),
    ],
)
def test_what_is_not_followed_is_not_known(words: tuple[str, ...]) -> None:
    assert printed_text(words, None, {"r.txt": LINES}.get) is None


def test_a_text_that_patterns_would_take_long_for_is_not_followed() -> None:
    assert printed_text(("grep", ".*x.*y"), "a" * 501, lambda _: None) is None
    assert printed_text(("grep", "x"), "a\n" * 40_000, lambda _: None) is None
