"""The step that a build tells once more at its end, and programs that tell their own path before a complaint."""

from __future__ import annotations

import pytest

from tonnage.decide.reports.log_patterns import find_symptoms

STEP = """\
------
 > [detector 4/6] RUN pip install -r requirements.txt:
62.80 ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device: '/srv/a.so'
------
cp: error writing '/srv/b': No space left on device
"""


def test_what_a_failed_step_is_quoted_with_belongs_to_it_and_what_stands_below_does_not() -> None:
    inside, below = find_symptoms(STEP)
    assert (inside.path, inside.service, inside.in_build) == ("/srv/a.so", "detector", True)
    assert (below.path, below.service) == ("/srv/b", "")


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("  = note: /usr/bin/ld: final link failed: No space left on device", ""),
        ("/usr/local/go/pkg/tool/linux_amd64/link: mapping output file failed: no space left on device", ""),
        ("/usr/lib/git-core/libexec/git: /srv/x: No space left on device", "/srv/x"),
        ("/srv/binaries/a: No space left on device", "/srv/binaries/a"),
    ],
)
def test_the_path_of_a_program_is_not_what_is_full(line: str, path: str) -> None:
    [found] = find_symptoms(line)
    assert found.path == path
