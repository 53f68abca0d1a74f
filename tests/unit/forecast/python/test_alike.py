"""Of which wheels pip and uv make the same: the modes that their archives write decide."""

from __future__ import annotations

import io
import zipfile

import pytest

from tonnage.forecast.python.wheel_contents import contents_of
from tonnage.model.forecast.python_lock import Wheel

COMMANDS = "[console_scripts]\nserve = a:main\n[gui_scripts]\nshow=a:b\n"
REGULAR, DIRECTORY = 0o100000, 0o040000


@pytest.mark.parametrize(
    ("entries", "alike"),
    [
        ({"a/x.py": REGULAR | 0o644, "a/run": REGULAR | 0o755}, True),
        ({"a/x.py": 0o644}, True),
        ({"a/x.py": 0}, True),
        # As protobuf 5.29 has it: pip takes no such mode for that of a program.
        ({"a/x.py": 0o777}, False),
        ({"a/": DIRECTORY | 0o755, "a/b/": DIRECTORY | 0o755, "a/b/x.py": REGULAR | 0o644}, True),
        # As ninja 1.11 and triton 2.3 have it: what is made of such a directory is removed again.
        ({"a/x.py": REGULAR | 0o644, "a.libs/": DIRECTORY | 0o755}, True),
        ({"a/x.py": REGULAR | 0o644, "a/b/": DIRECTORY | 0o755}, True),
    ],
)
def test_modes_that_are_no_regular_files_are_told(entries: dict[str, int], alike: bool) -> None:  # noqa: FBT001 - a case
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, mode in entries.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, "")
        archive.writestr(
            "a-1.dist-info/entry_points.txt", "[console_scripts]\nserve = a:main\n[gui_scripts]\nshow=a:b\n"
        )
    with zipfile.ZipFile(packed) as archive:
        found = contents_of(Wheel(name="a", version="1", filename="a-1-py3-none-any.whl", url=""), archive)
    assert found.alike is alike
    assert found.commands == ("serve", "show")
    assert found.console_scripts == 2
