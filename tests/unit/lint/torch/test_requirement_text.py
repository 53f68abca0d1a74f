"""Requirement files with another build of PyTorch."""

from __future__ import annotations

import pytest

from tonnage.lint.torch.builds import build_of, differences, label_of
from tonnage.lint.torch.requirement_text import WantedVersions, with_build
from tonnage.model.reports.torch import TorchVariant

CPU = "https://download.pytorch.org/whl/cpu"
CU121 = "https://download.pytorch.org/whl/cu121"
TORCH = WantedVersions(versions={"torch": "2.3.1"})
BOTH = WantedVersions(versions={"torch": "2.3.1", "torchvision": "0.18.1"})


def cpu(text: str, wanted: WantedVersions = TORCH, **more: int) -> str:
    return with_build(text, build_of(TorchVariant.CPU), wanted, **more).text  # type: ignore[arg-type]


def cuda(text: str, wanted: WantedVersions = TORCH, index: str = "") -> str:
    return with_build(text, build_of(TorchVariant.CUDA, index), wanted).text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("flask\ntorch==2.3.1  # fast\n", f"flask\n--extra-index-url {CPU}\ntorch==2.3.1+cpu  # fast\n"),
        ("torch>=2.0,<3\r\nflask\r\n", f"--extra-index-url {CPU}\r\ntorch==2.3.1+cpu\r\nflask\r\n"),
        ("torch", f"--extra-index-url {CPU}\ntorch==2.3.1+cpu"),
        (f"--extra-index-url {CU121}\ntorch==2.3.1+cu121\n", f"--extra-index-url {CPU}\ntorch==2.3.1+cpu\n"),
        (f"-i {CPU}\ntorch==2.3.1\n", f"-i {CPU}\ntorch==2.3.1+cpu\n"),
        (f"--extra-index-url {CPU}/\ntorch==2.3.1+cpu\n", f"--extra-index-url {CPU}/\ntorch==2.3.1+cpu\n"),
        (
            "torch @ https://example.org/torch-2.3.1%2Bcu121-cp311-cp311-linux_x86_64.whl#sha256=abc\n",
            f"--extra-index-url {CPU}\ntorch==2.3.1+cpu\n",
        ),
        (
            "Torch [opt] ==2.3.1 ; python_version < '4'\n",
            f"--extra-index-url {CPU}\nTorch [opt] ==2.3.1+cpu ; python_version < '4'\n",
        ),
        ("torchmetrics==1.0\ntorch-geometric\n", "torchmetrics==1.0\ntorch-geometric\n"),
    ],
)
def test_a_build_without_cuda_is_named_exactly_and_its_index_stands_alone(before: str, after: str) -> None:
    assert cpu(before) == after
    assert cpu(after) == after


def test_what_holds_for_another_platform_stays() -> None:
    text = 'torch==2.2.0 ; sys_platform == "darwin"\ntorch==2.3.1 ; sys_platform == "linux"\n'
    wanted = WantedVersions(versions={"torch": "2.3.1"}, holds=lambda marker: "linux" in marker)
    darwin, index, linux = cpu(text, wanted).splitlines()
    assert darwin == 'torch==2.2.0 ; sys_platform == "darwin"'
    assert (index, linux) == (f"--extra-index-url {CPU}", 'torch==2.3.1+cpu ; sys_platform == "linux"')


def test_what_brings_torch_along_gets_its_build_above() -> None:
    assert cpu("flask\nsentence-transformers==3.0\n", BOTH, above=2) == (
        f"flask\n--extra-index-url {CPU}\ntorch==2.3.1+cpu\ntorchvision==0.18.1+cpu\nsentence-transformers==3.0\n"
    )


def test_hashes_are_exchanged_and_parts_of_cuda_leave_a_compiled_file() -> None:
    text = (
        "flask==3.0 \\\n    --hash=sha256:aa\n    # via -r in.txt\n"
        "nvidia-cublas-cu12==12.1.3.1 \\\n    --hash=sha256:bb \\\n    --hash=sha256:cc\n    # via torch\n"
        "torch==2.3.1 \\\n    --hash=sha256:dd \\\n    --hash=sha256:ee\n    # via -r in.txt\n"
        "triton==2.3.1 --hash=sha256:ff\n"
    )
    wanted = WantedVersions(
        versions={"torch": "2.3.1"},
        hashes={"torch": ("--hash=sha256:11", "--hash=sha256:22")},
        without=("nvidia-cublas-cu12", "triton"),
    )
    assert cpu(text, wanted) == (
        "flask==3.0 \\\n    --hash=sha256:aa\n    # via -r in.txt\n"
        f"--extra-index-url {CPU}\n"
        "torch==2.3.1+cpu \\\n    --hash=sha256:11 \\\n    --hash=sha256:22\n    # via -r in.txt\n"
    )
    without = with_build(text, build_of(TorchVariant.CPU), TORCH)
    assert without.text == text
    assert "hashes" in without.left


def test_a_constraint_keeps_what_any_build_satisfies() -> None:
    build = build_of(TorchVariant.CPU)
    assert with_build("torch==2.3.1\n", build, TORCH, constrains=True).text == "torch==2.3.1\n"
    assert (
        with_build("torch==2.3.1+cu121\nnumpy<2\n", build, TORCH, constrains=True).text == "torch==2.3.1+cpu\nnumpy<2\n"
    )


@pytest.mark.parametrize(
    ("before", "index", "after"),
    [
        (f"--extra-index-url {CPU}\ntorch==2.3.1+cpu\n", "", "torch==2.3.1\n"),
        (f"--extra-index-url {CPU}\ntorch==2.3.1+cpu\n", CU121, f"--extra-index-url {CU121}\ntorch==2.3.1+cu121\n"),
        ("torch>=2\n", "", "torch>=2\n"),
        ("torch==2.3.1\n", CU121, f"--extra-index-url {CU121}\ntorch==2.3.1+cu121\n"),
    ],
)
def test_a_build_with_cuda_is_the_usual_one_or_that_of_an_index(before: str, index: str, after: str) -> None:
    assert cuda(before, index=index) == after


def test_the_line_that_makes_the_difference_is_told() -> None:
    found = with_build("flask\ntorch==2.3.1\n", build_of(TorchVariant.CPU), TORCH)
    assert (found.line, found.written) == (3, "torch==2.3.1+cpu")


def test_only_parts_of_cuda_and_the_build_are_expected_to_change() -> None:
    before = {"torch": "2.3.1", "nvidia-cublas-cu12": "12.1", "triton": "2.3.1", "numpy": "2.0", "sympy": "1.12"}
    after = {"torch": "2.3.1+cpu", "numpy": "1.26", "sympy": "1.12"}
    assert {each.name: each.expected for each in differences(before, after)} == {
        "torch": True, "nvidia-cublas-cu12": True, "triton": True, "numpy": False,
    }  # fmt: skip
    assert [each.expected for each in differences({"torch": "2.3.1"}, {"torch": "2.4.0+cpu"})] == [False]


def test_the_last_part_of_an_address_tells_the_build() -> None:
    assert [label_of(each) for each in (CPU, f"{CPU}/", CU121, "https://example.org/simple")] == [
        "cpu",
        "cpu",
        "cu121",
        "",
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("torch \\\n    ==2.3.1\nlower\n", "torch \\\n    ==2.3.1+cpu\nlower\n"),
        ("torch \\\n  >=2.0,<3 ; python_version > '3'\n", "torch \\\n  ==2.3.1+cpu ; python_version > '3'\n"),
        ("torch[opt] \\\n\t== 2.3.1 \\\n\t; python_version > '3'\n", None),
        ("torch==2.3.1 \\\n  ; python_version > '3'", "torch==2.3.1+cpu \\\n  ; python_version > '3'"),
    ],
)
def test_versions_on_the_line_below_are_changed_there(before: str, after: str | None) -> None:
    after = after or before.replace("== 2.3.1", "==2.3.1+cpu")
    assert cpu(before, TORCH) == f"--extra-index-url {CPU}\n{after}"
    assert cpu(cpu(before, TORCH), TORCH) == cpu(before, TORCH)


def test_the_line_of_another_platform_is_not_told_to_make_the_difference() -> None:
    text = "torch==2.3.1; sys_platform == 'darwin'\ntorch==2.3.1; sys_platform == 'linux'\n"
    wanted = WantedVersions(versions={"torch": "2.3.1"}, holds=lambda marker: "linux" in marker)
    found = with_build(text, build_of(TorchVariant.CPU), wanted)
    assert (found.line, found.written) == (3, "torch==2.3.1+cpu; sys_platform == 'linux'")
