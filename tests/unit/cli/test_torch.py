"""The whole command on stacks, with indexes on the loopback: stand-ins of a few bytes for the wheels of PyTorch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.unit.adapters.file_server import Index
from tests.unit.cli.test_forecast import index, told, world

__all__ = ["index", "world"]

if TYPE_CHECKING:
    from tests.unit.cli.simulated_ports import World

    Captured = pytest.CaptureFixture[str]

DECLARING = """\
FROM python:3.11-slim
ARG TORCH_CPU_ONLY
ARG TORCH_INDEX_URL
COPY requirements.txt .
RUN pip install --no-cache-dir --no-compile ${TORCH_INDEX_URL:+--extra-index-url} ${TORCH_INDEX_URL} -r requirements.txt
"""
GPU = """
  web:
    build: ./web
    deploy:
      resources:
        reservations:
          devices:
            - driver: nvidia
              count: 1
              capabilities: [gpu]
"""


@pytest.fixture
def cpu(world: World, index: Index) -> Index:
    """The usual index has PyTorch with CUDA, this one the same without; the first service installs it."""
    index.wheel("nvidia-cudnn-cu12", "8.9", files={"nvidia/lib.so": bytes(900_000)})
    index.wheel("triton", "2.3.1", files={"triton/lib.so": bytes(100_000)})
    index.wheel(
        "torch", "2.3.1", files={"torch/lib.so": bytes(200_000)}, requires=("nvidia-cudnn-cu12", "triton", "lower")
    )
    index.wheel("sentence-transformers", "3.0", requires=("torch>=1.11",))
    without = Index(index.server, path="/whl/cpu")
    without.wheel("torch", "2.3.1+cpu", files={"torch/lib.so": bytes(50_000)}, requires=("lower",))
    write(world, "torch==2.3.1\n")
    return without


def write(world: World, text: str, name: str = "web") -> None:
    (world.directory / name / "requirements.txt").write_text(text)


def read(world: World, name: str = "web") -> str:
    return (world.directory / name / "requirements.txt").read_text()


def test_torch_without_cuda_is_written_after_it_was_forecast(world: World, cpu: Index, capsys: Captured) -> None:
    assert world.run("torch", "cpu", "--index", cpu.url) == 0
    shown = capsys.readouterr().out

    assert read(world) == f"--extra-index-url {cpu.url}\ntorch==2.3.1+cpu\n"
    assert "web: torch 2.3.1 <- web/requirements.txt:1" in shown
    assert "installs CUDA: 1.0" in shown
    assert "the line that ends it: torch==2.3.1+cpu (web/requirements.txt:2)" in shown
    assert "torch 2.3.1 becomes 2.3.1+cpu" in shown
    assert "no longer installed: nvidia-cudnn-cu12, triton" in shown
    assert "nothing else changes" in shown
    assert "MB less on the disk" in shown
    assert f"+--extra-index-url {cpu.url}" in shown
    assert read(world, "worker") == "upper\n"

    assert world.run("torch", "cpu", "--index", cpu.url) == 0
    assert "it comes without CUDA already" in capsys.readouterr().out


def test_nothing_is_written_by_a_dry_run_and_json_tells_all_of_it(world: World, cpu: Index, capsys: Captured) -> None:
    write(world, "upper\nsentence-transformers\n")
    assert world.run("torch", "cpu", "--index", cpu.url, "--dry-run", "--json") == 0

    document = told(capsys)
    [web] = document["services"]
    assert read(world) == "upper\nsentence-transformers\n"
    assert (document["document"], document["written"], document["changed"]) == (
        "torch", False, ["web/requirements.txt"],
    )  # fmt: skip
    assert web["brought_by"] == ["torch", "sentence-transformers", "web/requirements.txt:2"] or web["brought_by"] == [
        "sentence-transformers", "web/requirements.txt:2",
    ]  # fmt: skip
    assert {each["name"]: each["expected"] for each in web["changes"]} == {
        "torch": True, "nvidia-cudnn-cu12": True, "triton": True,
    }  # fmt: skip
    assert web["saved_bytes"]["likely"] > 1_100_000


def test_what_brings_torch_along_is_named_and_its_build_is_written_above(
    world: World, cpu: Index, capsys: Captured
) -> None:
    write(world, "upper\n# search\nsentence-transformers\n")
    assert world.run("torch", "cpu", "--index", cpu.url, "web") == 0
    assert "web: torch 2.3.1 <- sentence-transformers <- web/requirements.txt:3" in capsys.readouterr().out
    assert read(world) == (f"upper\n# search\n--extra-index-url {cpu.url}\ntorch==2.3.1+cpu\nsentence-transformers\n")


def test_anything_else_that_changes_is_a_warning(world: World, cpu: Index, capsys: Captured) -> None:
    cpu.wheel("lower", "7.0")
    assert world.run("torch", "cpu", "--index", cpu.url) == 0
    shown = capsys.readouterr().out
    assert "warning: lower 1.0 becomes 7.0" in shown
    assert "nothing else changes" not in shown


def test_what_the_index_does_not_have_is_not_written(world: World, cpu: Index, capsys: Captured) -> None:
    del cpu.projects["torch"]
    cpu.wheel("torch", "2.2.0+cpu", requires=("lower",))
    assert world.run("torch", "cpu", "--index", cpu.url) == 0
    shown = capsys.readouterr().out
    assert "left as it is: " in shown
    assert "torch==2.3.1+cpu" in shown
    assert read(world) == "torch==2.3.1\n"


def test_where_no_index_answers_it_is_written_and_said_not_to_be_checked(
    world: World, cpu: Index, capsys: Captured
) -> None:
    del cpu
    assert world.run("torch", "cpu", "--index", "http://127.0.0.1:9/cpu") == 0
    assert "warning: not checked what else changes" in capsys.readouterr().out
    assert "torch==2.3.1+cpu" in read(world)


def test_hashes_are_looked_up_and_constraints_stay(world: World, cpu: Index, index: Index) -> None:
    def line(name: str, version: str, of: Index) -> str:
        [file] = [each for each in of.projects[name] if f"-{version}-" in each["filename"]]
        return f"{name}=={version} \\\n    --hash=sha256:{file['hashes']['sha256']}\n"

    pins = (("lower", "1.0"), ("nvidia-cudnn-cu12", "8.9"), ("torch", "2.3.1"), ("triton", "2.3.1"))
    write(world, "".join(line(*each, index) for each in pins))
    assert world.run("torch", "cpu", "--index", cpu.url) == 0
    assert read(world) == (
        f"{line('lower', '1.0', index)}--extra-index-url {cpu.url}\n{line('torch', '2.3.1+cpu', cpu)}"
    )

    (world.directory / "web" / "limits.txt").write_text("torch==2.3.1\nlower<2\n")
    write(world, "-c limits.txt\ntorch\n")
    (world.directory / "web" / "Dockerfile").write_text(
        "FROM python:3.11-slim\nCOPY *.txt ./\nRUN pip install -r requirements.txt\n"
    )
    assert world.run("torch", "cpu", "--index", cpu.url) == 0
    assert read(world) == f"-c limits.txt\n--extra-index-url {cpu.url}\ntorch==2.3.1+cpu\n"
    assert (world.directory / "web" / "limits.txt").read_text() == "torch==2.3.1\nlower<2\n"


@pytest.mark.parametrize(
    ("install", "becomes"),
    [
        ("pip install 'torch>=2' lower", "pip install --extra-index-url {url} 'torch==2.3.1+cpu' lower"),
        (
            "pip install sentence-transformers",
            "pip install --extra-index-url {url} torch==2.3.1+cpu sentence-transformers",
        ),
        (
            "uv pip install --system torch==2.3.1",
            "uv pip install --index-strategy unsafe-best-match --extra-index-url {url} --system torch==2.3.1+cpu",
        ),
    ],
)
def test_packages_on_a_command_line_are_changed_there(world: World, cpu: Index, install: str, becomes: str) -> None:
    dockerfile = world.directory / "web" / "Dockerfile"
    dockerfile.write_text(f"FROM python:3.11-slim\n# why\nRUN true && \\\n    {install}\n")
    assert world.run("torch", "cpu", "--index", cpu.url, "web") == 0
    assert dockerfile.read_text() == (
        f"FROM python:3.11-slim\n# why\nRUN true && \\\n    {becomes.format(url=cpu.url)}\n"
    )


def test_an_argument_that_is_declared_gets_the_index_as_its_default(world: World, cpu: Index) -> None:
    dockerfile = world.directory / "web" / "Dockerfile"
    dockerfile.write_text(DECLARING)
    write(world, "torch\n")
    assert world.run("torch", "cpu", "--index", cpu.url, "web") == 0
    assert dockerfile.read_text() == DECLARING.replace("CPU_ONLY\n", "CPU_ONLY=1\n").replace(
        "INDEX_URL\n", f"INDEX_URL={cpu.url}\n"
    )
    assert read(world) == "torch\n"


def test_a_device_decides_where_nobody_does(world: World, cpu: Index, capsys: Captured) -> None:
    world.simulator.identity = replace(world.simulator.identity, runtimes=("runc",))
    compose = next(world.directory.glob("*compose*.y*ml"))
    compose.write_text(compose.read_text().replace("\n  web:\n    build: ./web\n", GPU))
    write(world, "torch==2.3.1\n", "worker")
    assert world.run("torch", "auto", "--index", cpu.url) == 0
    said = capsys.readouterr()
    assert read(world) == "torch==2.3.1\n"
    assert "+cpu" in read(world, "worker")
    assert "cuda, because it asks for" in said.out
    assert "cpu, because it requests no GPU" in said.out
    assert "no runtime of NVIDIA: it has runc" in said.err


def test_cuda_is_brought_back(world: World, cpu: Index, capsys: Captured) -> None:
    write(world, f"--extra-index-url {cpu.url}\ntorch==2.3.1+cpu\n")
    assert world.run("torch", "cuda", "web") == 0
    assert read(world) == "torch==2.3.1\n"
    assert "installed besides: nvidia-cudnn-cu12, triton" in capsys.readouterr().out


def test_an_override_gives_build_arguments_and_leaves_the_sources_alone(
    world: World, cpu: Index, capsys: Captured
) -> None:
    for name in ("web", "worker"):
        (world.directory / name / "Dockerfile").write_text(DECLARING)
        write(world, "torch\n", name)
    override = world.directory / "docker-compose.override.yml"
    assert world.run("torch", "cpu", "--override", "--index", cpu.url, "--dry-run") == 0
    assert not override.exists()
    assert world.run("torch", "cpu", "--override", "--index", cpu.url, "web") == 0
    assert world.run("torch", "cpu", "--override", "--index", cpu.url, "worker") == 0
    text = override.read_text()
    assert text.count(f'TORCH_INDEX_URL: "{cpu.url}"') == 2
    assert read(world) == "torch\n"
    capsys.readouterr()
    assert world.run("forecast", "--json", "web") == 0
    names = {each["name"] for step in told(capsys)["services"][0]["steps"] for each in step["contributors"]}
    assert "torch 2.3.1+cpu" in names
    assert not any(name.startswith("nvidia-") for name in names)

    assert world.run("torch", "cuda", "--override", "web", "worker") == 0
    assert not override.exists()


@pytest.mark.parametrize("name", ["docker-compose.override.yml", "compose.override.yaml"])
def test_a_file_of_the_user_is_never_overwritten(world: World, cpu: Index, capsys: Captured, name: str) -> None:
    (world.directory / "web" / "Dockerfile").write_text(DECLARING)
    own = world.directory / name
    own.write_text("services:\n  web:\n    mem_limit: 1g\n")
    assert world.run("torch", "cpu", "--override", "--index", cpu.url, "web") == 2
    assert own.read_text() == "services:\n  web:\n    mem_limit: 1g\n"
    said = capsys.readouterr().err
    assert f"{name} is not changed" in said
    assert f'TORCH_INDEX_URL: "{cpu.url}"' in said


def test_a_build_argument_that_nobody_declares_has_no_effect_which_is_said(
    world: World, cpu: Index, capsys: Captured
) -> None:
    assert world.run("torch", "cpu", "--override", "--index", cpu.url, "web") == 0
    shown = capsys.readouterr().out
    assert "declares no ARG TORCH_INDEX_URL, so that a build argument has no effect" in shown
    assert f"ARG TORCH_INDEX_URL={cpu.url}" in shown
    assert not (world.directory / "docker-compose.override.yml").exists()


@pytest.mark.parametrize("command", [("forecast",), ("plan",), ("build",)])
def test_an_environment_without_effect_is_said_with_the_lines_to_write(
    world: World, cpu: Index, capsys: Captured, command: tuple[str, ...]
) -> None:
    del cpu
    world.ports.environment = {**world.ports.environment, "TORCH_CPU_ONLY": "1"}
    assert world.run(*command, "web") == 0
    both = capsys.readouterr()
    said = both.out + both.err
    assert "web: TORCH_CPU_ONLY has no effect" in said
    assert "ARG TORCH_INDEX_URL=https://download.pytorch.org/whl/cpu" in said
    assert "tonnage torch cpu web" in said


def test_an_environment_with_effect_needs_no_word(world: World, cpu: Index, capsys: Captured) -> None:
    world.ports.environment = {
        **world.ports.environment,
        "TORCH_CPU_ONLY": "1",
        "TORCH_INDEX_URL": cpu.url,
    }
    (world.directory / "web" / "Dockerfile").write_text(DECLARING)
    assert world.run("forecast", "--explain", "web") == 0
    both = capsys.readouterr()
    assert "torch 2.3.1+cpu" in both.out
    assert "TORCH_CPU_ONLY" not in both.err


@pytest.mark.parametrize(
    "index_url", ["cpu", "https://user:word@example.org/cpu", "https://example.org/a b", "ftp://a/b"]
)
def test_what_is_no_address_is_refused(world: World, index_url: str) -> None:
    assert world.run("torch", "cpu", "--index", index_url) == 2


def test_a_stack_without_torch_is_an_answer(world: World, capsys: Captured) -> None:
    assert world.run("torch", "cpu") == 0
    assert "no service is known to install PyTorch" in capsys.readouterr().out


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_ends_and_the_mark_of_a_file_stay_as_they_are(world: World, cpu: Index, mark: bytes) -> None:
    path = world.directory / "web" / "requirements.txt"
    written = mark + b"# heavy\r\ntorch==2.3.1\r\nupper\r\n"
    path.write_bytes(written)
    assert world.run("torch", "cpu", "--index", cpu.url, "web") == 0
    index_line = f"--extra-index-url {cpu.url}\r\n".encode()
    assert path.read_bytes() == mark + b"# heavy\r\n" + index_line + b"torch==2.3.1+cpu\r\nupper\r\n"

    # Back again is what it was.
    assert world.run("torch", "cuda", "web") == 0
    assert path.read_bytes() == written


def test_hashes_do_not_go_back_to_a_build_that_needs_more_than_they_cover(
    world: World, cpu: Index, index: Index, capsys: Captured
) -> None:
    def line(name: str, version: str, of: Index) -> str:
        [file] = [each for each in of.projects[name] if f"-{version}-" in each["filename"]]
        return f"{name}=={version} --hash=sha256:{file['hashes']['sha256']}\n"

    there = f"--extra-index-url {cpu.url}\n{line('torch', '2.3.1+cpu', cpu)}{line('lower', '1.0', index)}"
    write(world, there)
    assert world.run("torch", "cuda", "web") == 0
    assert read(world) == there
    assert "its hashes lack what would come along, such as" in capsys.readouterr().out
