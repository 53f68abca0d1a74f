from __future__ import annotations

import hashlib
import os
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.unit.adapters.file_server import Index, serving, wheel_bytes

from tonnage.adapters.web.client import Web
from tonnage.adapters.web.disk_cache import DiskCache
from tonnage.errors import CannotFetchError, CannotResolveError
from tonnage.forecast.python.index_access import index_access
from tonnage.forecast.python.resolution import resolve
from tonnage.forecast.python.source_archives import SourceArchives
from tonnage.forecast.python.uv import Uv
from tonnage.forecast.python.wheels import read_wheels
from tonnage.model.forecast.python_lock import LockOrigin, ResolveRequest, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tonnage.model.forecast.python_lock import Lock

    Resolve = Callable[..., Lock]

DAY_S = 86_400.0
LINUX = Target(python="3.11", platform="x86_64-manylinux_2_36")
ALPINE = Target(python="3.12", platform="aarch64-unknown-linux-musl")


@pytest.fixture(scope="module")
def index() -> Iterator[Index]:
    """An index of a few projects with every kind of trouble."""
    with serving() as server:
        offered = Index(server)
        offered.wheel("lower", "1.0")
        offered.wheel("lower", "1.1")
        offered.wheel("lower", "2.0")
        offered.wheel(
            "upper", "3.0", requires=("lower<2", 'only-old; python_version < "3.8"', 'extra-thing; extra == "x"')
        )
        offered.wheel("extra-thing", "0.1")
        offered.wheel("rival", "1.0", requires=("lower>=2",))
        offered.wheel("native", "1.0", tag="cp311-cp311-manylinux_2_17_x86_64")
        offered.add("native-1.0-cp312-cp312-manylinux_2_99_x86_64.whl", wheel_bytes("native"))
        offered.wheel("native-too", "1.0", tag="cp311-cp311-manylinux_2_17_x86_64")
        offered.add("native_too-1.0.tar.gz", b"s" * 1_009)
        offered.add("source_only-0.9.tar.gz", b"s" * 503)
        offered.add("source_only-1.2.tar.gz", b"s" * 2_003)
        offered.wheel("needs-source", "1.0", requires=("source-only", "lower"))
        yield offered


@pytest.fixture
def solve(index: Index, tmp_path: Path) -> Resolve:
    """Resolve some lines against the index, with a cache of their own."""

    def run(
        *lines: str,
        target: Target = LINUX,
        offline: bool = False,
        now_s: float = 1e9,
        extra: Mapping[str, str] | None = None,
        **asked: object,
    ) -> Lock:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "PIP_CONFIG_FILE": os.devnull,
            **(extra or {}),
        }
        request = ResolveRequest(requirements=lines, **{"index_url": index.url, **asked})  # type: ignore[arg-type]
        return resolved(request, environment, tmp_path, target=target, offline=offline, now_s=now_s)

    return run


def resolved(
    request: ResolveRequest,
    environment: Mapping[str, str],
    cache: Path,
    *,
    target: Target = LINUX,
    offline: bool = False,
    cancel: threading.Event | None = None,
    now_s: float = 1e9,
) -> Lock:
    """Resolve a request as it would be in some environment."""
    kept = DiskCache(cache / "kept")
    with Web(environment, offline=offline) as web:
        return resolve(
            request, target, uv=Uv(cache / "uv", environment), archives=SourceArchives(web, kept), web=web,
            access=index_access(request, environment), kept=kept, cancel=cancel, now_s=now_s,
        )  # fmt: skip


def names(lock: Lock) -> list[str]:
    return [f"{wheel.name}=={wheel.version}" for wheel in lock.wheels]


def test_what_is_asked_for_and_what_it_needs_is_found(solve: Resolve, index: Index) -> None:
    lock = solve("upper")
    assert names(lock) == ["lower==1.1", "upper==3.0"]
    assert lock.requested == ("upper",)
    assert lock.wheels[0].url.startswith(index.server.address)
    assert lock.wheels[0].digest.startswith("sha256:")
    assert all(wheel.size_bytes for wheel in lock.wheels)


def test_extras_constraints_and_no_dependencies_hold(solve: Resolve) -> None:
    assert "extra-thing==0.1" in names(solve("upper[x]"))
    assert names(solve("upper", constraints=("lower==1.0",))) == ["lower==1.0", "upper==3.0"]
    assert names(solve("upper", dependencies=False)) == ["upper==3.0"]


def test_what_is_installed_already_is_kept_where_it_satisfies(solve: Resolve) -> None:
    assert names(solve("upper", installed=("lower==1.0",))) == ["lower==1.0", "upper==3.0"]
    assert names(solve("rival", installed=("lower==1.0",))) == ["lower==2.0", "rival==1.0"]


def test_a_wheel_is_chosen_for_the_image_and_not_for_this_machine(solve: Resolve) -> None:
    assert [wheel.filename for wheel in solve("native").wheels] == ["native-1.0-cp311-cp311-manylinux_2_17_x86_64.whl"]


def test_a_requirement_that_does_not_exist_is_named(solve: Resolve) -> None:
    with pytest.raises(CannotResolveError, match="nothing-like-it does not exist") as caught:
        solve("nothing-like-it", "lower")
    assert (caught.value.cause, caught.value.packages) == ("missing", ("nothing-like-it",))


def test_a_version_that_does_not_exist_is_named(solve: Resolve) -> None:
    with pytest.raises(CannotResolveError, match="There is no lower==7") as caught:
        solve("lower==7")
    assert caught.value.cause == "missing"


def test_a_set_without_a_solution_names_its_packages_and_the_reason(solve: Resolve) -> None:
    with pytest.raises(CannotResolveError) as caught:
        solve("upper", "rival")
    assert caught.value.cause == "unsatisfiable"
    assert {"upper", "rival", "lower"} & set(caught.value.packages)
    assert "lower" in caught.value.why


def test_a_line_that_is_no_requirement_is_told(solve: Resolve) -> None:
    with pytest.raises(CannotResolveError) as caught:
        solve("lower===")
    assert caught.value.cause == "invalid"


def test_a_platform_without_wheels_is_told_with_those_that_have_some(solve: Resolve) -> None:
    with pytest.raises(CannotResolveError, match="no wheel of native") as caught:
        solve("native", target=ALPINE)
    assert (caught.value.cause, caught.value.packages) == ("no wheels", ("native",))


def test_a_platform_that_the_resolver_does_not_know_is_told(solve: Resolve) -> None:
    with pytest.raises(CannotResolveError, match="s390x"):
        solve("lower", target=Target(python="3.11", platform="s390x-manylinux_2_28"))


def test_where_there_is_no_wheel_the_source_archive_is_found_with_its_size(solve: Resolve) -> None:
    (archive,) = solve("native-too", target=ALPINE).sdists
    assert (archive.name, archive.version, archive.size_bytes) == ("native-too", "1.0", 1_009)


def test_a_package_without_any_wheel_is_left_out_and_told_and_the_rest_is_resolved(solve: Resolve) -> None:
    lock = solve("needs-source")
    assert names(lock) == ["lower==2.0", "needs-source==1.0"]
    assert [(each.name, each.version, each.size_bytes) for each in lock.sdists] == [("source-only", "1.2", 2_003)]
    assert any("source-only" in note for note in lock.notes)


def test_the_pinned_version_of_a_source_archive_is_the_one_that_is_found(solve: Resolve) -> None:
    assert solve("source-only==0.9").sdists[0].size_bytes == 503


def test_the_source_archive_is_one_that_every_requirement_allows(solve: Resolve, index: Index) -> None:
    assert solve("source-only<1.2").sdists[0].version == "0.9"
    assert solve("source-only", constraints=("source-only<1",)).sdists[0].version == "0.9"
    index.wheel("needs-old", "1.0", requires=("source-only<1.0", "source-only>9; extra == 'x'"))
    index.wheel("needs-new", "1.0", requires=("source-only>=1.2",))
    lock = solve("source-only", "needs-old")
    assert lock.sdists[0].version == "0.9"
    assert not any("needs another" in note for note in lock.notes)
    lock = solve("source-only", "needs-old", "needs-new")
    (told,) = [note for note in lock.notes if "needs another" in note and note.startswith("needs-old")]
    assert told.startswith("needs-old 1.0 needs another source-only than 1.2")


def test_the_source_archive_is_one_for_the_python(solve: Resolve, index: Index) -> None:
    index.add("choosy-1.0.tar.gz", b"s" * 11)
    index.add("choosy-2.0.tar.gz", b"s" * 22)
    index.projects["choosy"][1]["requires-python"] = ">=3.12"
    index.add("choosy-0.9.tar.gz", b"s" * 9)
    assert solve("choosy").sdists[0].version == "1.0"


def test_a_package_that_must_be_a_wheel_and_has_none_is_a_failure(solve: Resolve) -> None:
    with pytest.raises(CannotResolveError) as caught:
        solve("source-only", only_binary=(":all:",))
    assert caught.value.packages == ("source-only",)


def test_a_package_that_may_not_be_a_wheel_is_built(solve: Resolve) -> None:
    lock = solve("upper", no_binary=("lower",))
    assert names(lock) == ["upper==3.0"]
    assert [each.name for each in lock.sdists] == ["lower"]


def test_checkouts_and_directories_are_told_apart(solve: Resolve) -> None:
    lock = solve("tool @ git+https://git.example.org/tool.git", "-e ./here", "lower")
    assert names(lock) == ["lower==2.0"]
    assert [other.name for other in lock.others] == ["tool", ""]


def test_pip_takes_the_best_of_all_indexes_and_uv_the_first_that_has_the_name(solve: Resolve, index: Index) -> None:
    second = Index(index.server, path="/second")
    second.wheel("lower", "1.0+cpu")
    best = solve("lower", extra_index_urls=(second.url,))
    first = solve("lower", extra_index_urls=(second.url,), best_of_all_indexes=False)
    assert (names(best), names(first)) == (["lower==2.0"], ["lower==1.0+cpu"])
    assert names(solve("lower==1.0", extra_index_urls=(second.url,))) == ["lower==1.0+cpu"]


def test_where_an_index_tells_no_sizes_the_server_of_the_wheel_does(
    solve: Resolve, index: Index, tmp_path: Path
) -> None:
    bare = Index(index.server, path="/bare", sizes=False)
    url = bare.wheel("plain", "1.0")
    lock = solve("plain", index_url=bare.url)
    access = index_access(ResolveRequest(requirements=()), {})
    with Web({}) as web:
        (contents,) = read_wheels(lock.wheels, web=web, access=access, kept=DiskCache(tmp_path / "wheels")).contents
    assert (contents.wheel.url, contents.wheel.size_bytes) == (url, len(wheel_bytes("plain", "1.0")))


def test_an_answer_holds_for_a_day(solve: Resolve, index: Index) -> None:
    solve("lower")
    asked = len(index.server.asked)
    assert solve("lower", now_s=1e9 + DAY_S - 1).origin is LockOrigin.REMEMBERED
    assert len(index.server.asked) == asked
    assert solve("lower", now_s=1e9 + DAY_S + 1).origin is LockOrigin.RESOLVED


def test_an_answer_that_had_no_choice_holds_for_ever(solve: Resolve) -> None:
    solve("lower==1.0", dependencies=False)
    assert solve("lower==1.0", dependencies=False, now_s=2e9).origin is LockOrigin.REMEMBERED


def test_offline_the_last_answer_is_used_and_said_to_be_old(solve: Resolve) -> None:
    solve("lower")
    lock = solve("lower", offline=True, now_s=1e9 + 9 * DAY_S)
    assert lock.origin is LockOrigin.LAST_KNOWN
    assert names(lock) == ["lower==2.0"]
    assert any("2001-09-09" in note for note in lock.notes)


def test_offline_without_an_earlier_answer_is_told(solve: Resolve) -> None:
    with pytest.raises(CannotFetchError) as caught:
        solve("rival", offline=True)
    assert caught.value.cause == "offline"


def test_an_index_that_cannot_be_reached_is_told(solve: Resolve) -> None:
    with pytest.raises(CannotFetchError, match="cannot be reached") as caught:
        solve("lower", index_url="http://127.0.0.1:1/simple")
    assert caught.value.cause == "unreachable"


def test_an_index_that_has_gone_leaves_its_last_answer(index: Index, solve: Resolve) -> None:
    fading = Index(index.server, path="/fading")
    fading.wheel("soon-gone", "1.0")
    solve("soon-gone", index_url=fading.url)
    index.server.add("/fading/soon-gone/", b"", status=503)
    lock = solve("soon-gone", index_url=fading.url, now_s=1e9 + 2 * DAY_S)
    assert lock.origin is LockOrigin.LAST_KNOWN
    assert any("is used" in note for note in lock.notes)


def test_an_index_that_refuses_is_told(solve: Resolve, index: Index) -> None:
    index.server.add("/refusing/lower/", b"", status=403)
    refusing = f"{index.server.address}/refusing"
    for extra in ((), (f"{refusing}/x",)):
        with pytest.raises(CannotFetchError, match="refuses") as caught:
            solve("lower", index_url=refusing, extra_index_urls=extra)
        assert caught.value.cause == "refused"


def test_a_resolution_can_be_stopped(index: Index, tmp_path: Path) -> None:
    cancel = threading.Event()
    cancel.set()
    request = ResolveRequest(requirements=("lower",), index_url=index.url)
    with pytest.raises(CannotFetchError) as caught:
        resolved(request, {}, tmp_path, cancel=cancel)
    assert caught.value.cause == "stopped"


def test_a_resolution_that_is_stopped_leaves_nothing_behind(tmp_path: Path) -> None:
    cancel = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        index_url = f"http://127.0.0.1:{silent.getsockname()[1]}/simple"
        places: list[Path] = []

        def stop_when_it_asks() -> None:
            with silent.accept()[0] as asked:
                asked.recv(1)
                places.extend(tmp_path.glob("tonnage-now-*"))
                cancel.set()

        waiting = threading.Thread(target=stop_when_it_asks)
        waiting.start()
        with pytest.raises(CannotFetchError, match="stopped"):
            resolved(ResolveRequest(requirements=("lower",), index_url=index_url), {}, tmp_path, cancel=cancel)
        waiting.join()
    assert len(places) == 1
    assert list(tmp_path.glob("tonnage-now-*")) == []


def test_a_wheel_that_is_given_by_its_address_is_a_wheel_and_is_not_fetched(solve: Resolve, index: Index) -> None:
    content = wheel_bytes("apart", "4.0", {"pkg/large.bin": os.urandom(3_000_017)}, requires=("lower<2",))
    url = index.server.add("/apart-4.0-py3-none-any.whl", content)
    index.server.sent_bytes = 0
    lock = solve(f"apart @ {url}#sha256={hashlib.sha256(content).hexdigest()}", "lower")
    assert names(lock) == ["apart==4.0", "lower==1.1"]
    assert (lock.wheels[0].url, lock.wheels[0].size_bytes) == (url, len(content))
    assert lock.wheels[0].digest == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert index.server.sent_bytes < 100_000
    with pytest.raises(CannotResolveError) as caught:
        solve(f"apart @ {url}", "lower>=2")
    assert "file:" not in caught.value.why


def test_nothing_asked_for_is_nothing(solve: Resolve) -> None:
    assert solve().wheels == ()


def test_settings_of_the_user_that_would_change_the_choice_do_not(solve: Resolve) -> None:
    extra = {"UV_RESOLUTION": "lowest", "UV_EXCLUDE_NEWER": "2001-01-01", "UV_CONSTRAINT": "/nowhere"}
    assert names(solve("lower", extra=extra)) == ["lower==2.0"]


def test_a_home_that_cannot_be_written_only_costs_time(index: Index) -> None:
    request = ResolveRequest(requirements=("upper",), index_url=index.url)
    lock = resolved(request, {"PIP_CONFIG_FILE": os.devnull}, Path("/proc/nowhere"))
    assert names(lock) == ["lower==1.1", "upper==3.0"]
