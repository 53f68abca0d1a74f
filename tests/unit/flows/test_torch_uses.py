"""What the Python files of a context do with PyTorch, by their words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tonnage.flows.lint.torch_uses import only_infers

if TYPE_CHECKING:
    from pathlib import Path

RUNS = "import torch\nwith torch.no_grad():\n    model.eval()(x)\n"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"app.py": RUNS}, True),
        ({"a/b/app.py": RUNS, "train_times.py": "import trains\n"}, True),
        ({"app.py": RUNS, "fit.py": "from torch import nn\nloss.backward()\n"}, False),
        ({"app.py": RUNS + "torch.compile(model)\n"}, False),
        ({"app.py": "import torch\nprint(torch.__version__)\n"}, False),
        ({"app.py": "import numpy\nmodel.eval()\n"}, False),
        ({"app.py": RUNS, "tests/test_fit.py": "import torch\nloss.backward()\n"}, True),
        ({}, False),
    ],
)
def test_models_are_run_or_trained(tmp_path: Path, files: dict[str, str], *, expected: bool) -> None:
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "link.py").symlink_to("/etc/passwd")
    assert only_infers(str(tmp_path)) is expected
