from __future__ import annotations

import io
import subprocess
import tarfile
from typing import TYPE_CHECKING, Any, Literal

import pytest
from tests.answering import Answer, answering

from tonnage.adapters.context.context_files import ContextFiles
from tonnage.adapters.context.copied_files import CopyMeter
from tonnage.adapters.context.entries import IgnoreRules
from tonnage.adapters.web.client import Web
from tonnage.adapters.web.disk_cache import DiskCache
from tonnage.adapters.web.remote_sizes import RemoteSizes
from tonnage.model.forecast.dockerfile import Heredoc
from tonnage.model.forecast.estimate import Grade, exactly
from tonnage.model.forecast.recipe import CopyInstruction, FileSource, FileSourceKind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.real_engine import RealEngine

    from tonnage.model.forecast.file_tree import Tree

DIRECTORY = 4096
CONTEXT = FileSource(FileSourceKind.CONTEXT)


@pytest.fixture
def meter(tmp_path: Path) -> Iterator[CopyMeter]:
    with Web({}) as web:
        yield CopyMeter(RemoteSizes(web, DiskCache(tmp_path / "kept")))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A context: app.py 1,009 bytes, data/a.bin 5,003, data/deep/b.bin 9,001, data/note.txt 17, a link to app.py."""
    made = tmp_path / "context"
    (made / "data" / "deep").mkdir(parents=True)
    for name, size in (("app.py", 1_009), ("data/a.bin", 5_003), ("data/deep/b.bin", 9_001), ("data/note.txt", 17)):
        (made / name).write_bytes(b"x" * size)
    (made / "link.py").symlink_to("app.py")
    return made


def copy(*sources: str, to: str = "/srv/", **options: Any) -> CopyInstruction:  # noqa: ANN401 - passed on
    return CopyInstruction(sources=sources, destination=to, origin=CONTEXT, **options)


def measured(meter: CopyMeter, root: Path, instruction: CopyInstruction, ignored: str = "") -> tuple[int, int, int]:
    tree = meter.tree(instruction, ContextFiles(str(root), IgnoreRules(ignored)))
    return numbers(tree)


def numbers(tree: Tree) -> tuple[int, int, int]:
    assert not tree.missing
    return tree.image.likely_bytes, tree.disk.likely_bytes, tree.inodes


def test_a_file_takes_its_blocks_and_the_directory_it_comes_into(meter: CopyMeter, root: Path) -> None:
    assert measured(meter, root, copy("app.py")) == (1_009, 4_096 + DIRECTORY, 2)


def test_a_file_copied_to_a_name_is_that_file(meter: CopyMeter, root: Path) -> None:
    assert measured(meter, root, copy("app.py", to="/srv/deep/main.py")) == (1_009, 4_096 + 2 * DIRECTORY, 3)


def test_of_a_directory_only_what_is_in_it_is_copied(meter: CopyMeter, root: Path) -> None:
    assert measured(meter, root, copy("data", to="/srv")) == (14_021, 8_192 + 12_288 + 4_096 + 2 * DIRECTORY, 5)


def test_the_whole_context_brings_links_as_links(meter: CopyMeter, root: Path) -> None:
    assert measured(meter, root, copy(".", to="/srv")) == (15_036, 28_672 + 3 * DIRECTORY, 8)


def test_a_link_that_is_named_is_followed(meter: CopyMeter, root: Path) -> None:
    assert measured(meter, root, copy("link.py")) == (1_009, 4_096 + DIRECTORY, 2)


def test_of_a_link_to_a_directory_what_is_in_that_is_copied(meter: CopyMeter, root: Path) -> None:
    (root / "to-data").symlink_to("data/deep")

    assert measured(meter, root, copy("to-data")) == measured(meter, root, copy("data/deep"))
    assert measured(meter, root, copy("to-data"))[0] == 9_001


def test_names_of_one_file_in_a_directory_count_once_and_named_each_for_itself_twice(
    meter: CopyMeter, root: Path
) -> None:
    (root / "data" / "again.bin").hardlink_to(root / "data" / "a.bin")

    assert measured(meter, root, copy("data"))[0] == 5_003 + 9_001 + 17
    assert measured(meter, root, copy("data/a.bin", "data/again.bin"))[0] == 2 * 5_003


def test_what_is_ignored_does_not_count(meter: CopyMeter, root: Path) -> None:
    assert measured(meter, root, copy(".", to="/srv"), "data\n!data/note.txt\n*.py\n") == (17, 4_096 + 2 * DIRECTORY, 3)


def test_what_only_newer_clients_send_may_be_missing(meter: CopyMeter, root: Path) -> None:
    # The client of Docker 20.10 looks into data/deep, and not into data.
    tree = meter.tree(copy("."), ContextFiles(str(root), IgnoreRules("**\n!**/a.bin\n!app.py\n")))
    assert (tree.image.low_bytes, tree.image.likely_bytes, tree.image.high_bytes) == (1_009, 6_012, 6_012)
    assert tree.image.grade is Grade.DECLARED
    assert tree.files == ()
    told = meter.tree(copy("."), ContextFiles(str(root), IgnoreRules("**\n!data/*.bin\n!app.py\n")))
    assert (told.image, len(told.files)) == (exactly(6_012), 4)


def test_an_excluded_pattern_counts_from_the_source(meter: CopyMeter, root: Path) -> None:
    found = measured(meter, root, copy("data", to="/srv", excludes=("deep", "*.txt")))
    assert found == (5_003, 8_192 + DIRECTORY, 2)


def test_a_wildcard_does_not_cross_directories(meter: CopyMeter, root: Path) -> None:
    assert measured(meter, root, copy("data/*.b?n")) == (5_003, 8_192 + DIRECTORY, 2)
    assert measured(meter, root, copy("[^b-z]*.py")) == (1_009, 4_096 + DIRECTORY, 2)


def test_with_parents_the_directories_stay(meter: CopyMeter, root: Path) -> None:
    found = measured(meter, root, copy("data/deep/b.bin", to="/srv/", parents=True))
    assert found == (9_001, 12_288 + 3 * DIRECTORY, 4)


def test_a_file_that_comes_twice_counts_once(meter: CopyMeter, root: Path) -> None:
    assert measured(meter, root, copy("app.py", "./app.py", "*.py")) == (2_018, 8_192 + DIRECTORY, 3)


def test_a_document_in_the_dockerfile_is_a_file(meter: CopyMeter, root: Path) -> None:
    document = Heredoc("EOF", "one\ntwo\n", expands=False, line=3)
    assert measured(meter, root, copy(to="/srv/run.sh", inline=(document,))) == (8, 4_096 + DIRECTORY, 2)


def test_what_nothing_matches_is_told(meter: CopyMeter, root: Path) -> None:
    tree = meter.tree(copy("app.py", "missing.py", "*.gone"), ContextFiles(str(root)))
    assert tree.missing == ("missing.py",)
    assert tree.notes == ("nothing in the build context matches *.gone",)


def archive(path: Path, mode: Literal["w:gz", "w:xz"] = "w:gz") -> None:
    with tarfile.open(path, mode) as made:
        for name, size in (("models/one.bin", 8_009), ("models/two.bin", 3)):
            entry = tarfile.TarInfo(name)
            entry.size = size
            made.addfile(entry, io.BytesIO(bytes(size)))


def test_add_unpacks_an_archive_and_copy_does_not(meter: CopyMeter, root: Path) -> None:
    archive(root / "models.tgz")
    assert measured(meter, root, copy("models.tgz", adds=True)) == (8_012, 8_192 + 4_096 + 2 * DIRECTORY, 4)
    size = (root / "models.tgz").stat().st_size
    assert measured(meter, root, copy("models.tgz")) == (size, 4_096 + DIRECTORY, 2)
    assert measured(meter, root, copy("models.tgz", adds=True, unpacks=False))[0] == size


def test_an_archive_that_a_program_unpacks_may_come_as_it_is(meter: CopyMeter, root: Path) -> None:
    archive(root / "models.tar.xz", "w:xz")
    size = (root / "models.tar.xz").stat().st_size
    tree = meter.tree(copy("models.tar.xz", adds=True), ContextFiles(str(root)))
    image, disk = tree.image, tree.disk
    assert (image.low_bytes, image.likely_bytes, image.high_bytes, image.grade) == (size, 8_012, 8_012, Grade.DECLARED)
    assert disk.low_bytes <= 4_096 + DIRECTORY
    assert disk.likely_bytes == 8_192 + 4_096 + 2 * DIRECTORY
    # Nobody can tell which files there are.
    assert tree.files == ()
    assert any("program xz" in note for note in tree.notes)


def test_a_packed_archive_larger_than_its_files_raises_the_high_figure(meter: CopyMeter, root: Path) -> None:
    with tarfile.open(root / "little.txz", "w:xz") as made:
        made.addfile(tarfile.TarInfo("nothing"))
    size = (root / "little.txz").stat().st_size
    image = meter.tree(copy("little.txz", adds=True), ContextFiles(str(root))).image
    assert (image.low_bytes, image.likely_bytes, image.high_bytes) == (0, 0, size)


@pytest.mark.parametrize(("name", "likely"), [("models.tar.zst", 3_000), ("text.zst", 1_000)])
def test_what_is_packed_by_zstd_is_copied_or_unpacked(meter: CopyMeter, root: Path, name: str, likely: int) -> None:
    (root / name).write_bytes(b"\x28\xb5\x2f\xfd" + bytes(996))
    image = meter.tree(copy(name, adds=True), ContextFiles(str(root))).image
    assert (image.low_bytes, image.likely_bytes, image.high_bytes) == (1_000, likely, 8_000)
    assert image.grade is Grade.UNKNOWN
    assert meter.tree(copy(name), ContextFiles(str(root))).image == exactly(1_000)


def test_an_added_address_is_as_large_as_it_says(meter: CopyMeter, root: Path) -> None:
    with answering() as server:
        server.routes["/model.bin"] = Answer(body=bytes(6_007))
        tree = meter.tree(copy(f"{server.address}/model.bin", adds=True), ContextFiles(str(root)))
    assert numbers(tree) == (6_007, 8_192 + DIRECTORY, 2)
    assert tree.download.likely_bytes == 6_007
    assert ("/srv/model.bin", 6_007, 8_192) in tree.files


def test_what_is_not_known_of_an_address_is_never_nothing(meter: CopyMeter, root: Path) -> None:
    with answering() as server:
        tree = meter.tree(copy("app.py", f"{server.address}/gone", adds=True), ContextFiles(str(root)))
    assert not tree.image.known
    assert tree.notes == (f"{server.address}/gone: the address answers 404",)
    assert not meter.tree(copy("git@example.org:team/code.git", adds=True), None).image.known


def test_an_address_that_nobody_answers_is_told_once(meter: CopyMeter, root: Path) -> None:
    [note] = meter.tree(copy("http://127.0.0.1:9/model.bin", adds=True), ContextFiles(str(root))).notes
    assert note.count("http://127.0.0.1:9/model.bin") == 1


def test_a_directory_named_like_a_repository_is_a_directory(meter: CopyMeter, root: Path) -> None:
    (root / "code.git").mkdir()
    (root / "code.git" / "HEAD").write_bytes(b"x" * 23)
    assert measured(meter, root, copy("code.git", to="/srv", adds=True)) == (23, 4_096 + DIRECTORY, 2)


def test_a_remote_context_cannot_be_seen(meter: CopyMeter) -> None:
    assert not meter.tree(copy("app.py"), None).disk.known


@pytest.mark.engine
@pytest.mark.only_on("in containerd a layer lies there up to three times", store="classic")
def test_a_real_engine_keeps_what_was_measured(meter: CopyMeter, root: Path, engine: RealEngine) -> None:
    archive(root / "models.tgz")
    (root / ".dockerignore").write_text("data/note.txt\nDockerfile\n.dockerignore\n")
    (root / "Dockerfile").write_text(
        "FROM busybox\nCOPY . /srv/all\nCOPY data/*.bin app.py /srv/some/\nADD models.tgz /models\nCOPY link.py /one\n"
    )
    api: Any = engine.client.api
    said = list(api.build(path=str(root), tag="copied", rm=True, decode=True))
    assert not [line for line in said if "error" in line], said
    files = ContextFiles(str(root), IgnoreRules((root / ".dockerignore").read_text()))
    trees = [
        meter.tree(instruction, files)
        for instruction in (
            copy(".", to="/srv/all"),
            copy("data/*.bin", "app.py", to="/srv/some/"),
            copy("models.tgz", to="/models", adds=True),
            copy("link.py", to="/one"),
        )
    ]
    assert [each["Size"] for each in api.history("copied")[:4]][::-1] == [tree.image.likely_bytes for tree in trees]
    told = api.inspect_image("copied")["GraphDriver"]["Data"]
    directories = [told["UpperDir"], *told["LowerDir"].split(":")][:4][::-1]
    measured = [int(subprocess.check_output(["du", "-s", "-B1", each]).split()[0]) - DIRECTORY for each in directories]
    assert measured == [tree.disk.likely_bytes for tree in trees]
