from __future__ import annotations

import shlex
import threading
from pathlib import Path

import pytest
from msgspec.structs import replace

from tonnage.adapters.docker.build import attestations, build_command, run_build
from tonnage.adapters.docker.build_variables import build_variables
from tonnage.adapters.docker.tools import BuilderKind, BuildTool
from tonnage.errors import EngineLacksError, EngineUnreachableError, ReserveCrossedError, StepFailedError, UsageError
from tonnage.model.inventory import CONTAINERD
from tonnage.model.stack import BuildSpec, Place

# As a shell reads it: the checkout may lie below a name with a blank in it.
RECORDED = shlex.quote(str(Path(__file__).parents[3] / "wire" / "progress"))
FULL = BuildSpec(
    context="/srv/shop",
    dockerfile="/srv/shop/docker/web.Dockerfile",
    args=(("B", "2 words"), ("A", "1=1")),
    target="final",
    labels=(("own", "label"),),
    additional_contexts=(("base", "docker-image://alpine"),),
    cache_from=("shop/web:cache",),
    extra_hosts=("db=192.0.2.17", "six=2001:db8::17"),
    network="host",
    platforms=("linux/amd64",),
    secrets=("id=token,env=TOKEN",),
    ssh=("default",),
    shm_bytes=67_108_879,
    no_cache=True,
    pull=True,
)


class _Told:
    def __init__(self) -> None:
        self.where: list[str] = []
        self.lines: list[str] = []

    def at(self, text: str) -> None:
        self.where.append(text)

    def log(self, line: str) -> None:
        self.lines.append(line)


def _tool(kind: BuilderKind, program: str = "docker", *, buildx: bool = False) -> BuildTool:
    return BuildTool(program, kind, buildx, "17")


def _program(folder: Path, script: str) -> str:
    """Write a docker program that does this; ``$id`` is the file for the image's id."""
    program = folder / "docker"
    program.write_text(
        "#!/bin/sh\n"
        'while [ $# -gt 0 ]; do case "$1" in --iidfile) id=$2;; --metadata-file) metadata=$2;; --file) file=$2;; esac\n'
        f"shift; done\n{script}"
    )
    program.chmod(0o755)
    return str(program)


def _build(
    folder: Path,
    script: str,
    kind: BuilderKind,
    spec: BuildSpec,
    cancel: threading.Event | None = None,
    *,
    tool: BuildTool | None = None,
) -> tuple[tuple[str, ...], _Told]:
    told = _Told()
    result = run_build(
        replace(tool or _tool(kind), program=_program(folder, script)),
        spec,
        "localhost/tonnage/shop/web:candidate",
        {"tonnage.service": "web"},
        environment={"PATH": "/usr/bin:/bin"},
        progress=told,
        cancel=cancel or threading.Event(),
    )
    return result, told


def _command(tool: BuildTool, spec: BuildSpec, reference: str, labels: dict[str, str], id_file: str) -> list[str]:
    return build_command(tool, spec, reference, labels, id_file, build_variables(spec, {}))


def test_an_image_that_is_only_pushed_is_asked_for_packed() -> None:
    tool, spec = _tool(BuilderKind.RAWJSON, "/usr/bin/docker", buildx=True), BuildSpec(context="/c", dockerfile="/c/D")
    usual, packed = (
        build_command(tool, spec, "web:1", {}, "/private/id", build_variables(spec, {}), packed=packed)
        for packed in (False, True)
    )

    assert "--load" in usual
    assert "--load" not in packed
    assert packed[packed.index("--output") + 1] == "type=image,unpack=false"
    assert packed[packed.index("--tag") + 1] == "web:1"


@pytest.fixture
def spec(tmp_path: Path) -> BuildSpec:
    (tmp_path / "context").mkdir()
    dockerfile = tmp_path / "context" / "Dockerfile"
    dockerfile.write_text(
        "FROM busybox\nCOPY greeting.txt /\n\nRUN echo before \\\n"
        ' && for i in $(seq 60); do echo "line $i"; done \\\n && echo "it breaks here" >&2 \\\n && exit 17\n'
    )
    return BuildSpec(
        context=str(tmp_path / "context"), dockerfile=str(dockerfile), place=Place("/srv/shop/compose.yaml", 17)
    )


def test_everything_of_the_build_section_reaches_buildx() -> None:
    tool = _tool(BuilderKind.RAWJSON, "/usr/bin/docker", buildx=True)
    arguments = _command(tool, FULL, "web:candidate", {"tonnage.stack": "shop"}, "/private/id")
    assert " ".join(arguments) == (
        "/usr/bin/docker buildx build --builder default --load --progress=rawjson --iidfile /private/id"
        " --tag web:candidate --file /srv/shop/docker/web.Dockerfile --build-arg B --build-arg A"
        " --label own=label --label tonnage.stack=shop --build-context base=docker-image://alpine"
        " --cache-from shop/web:cache --add-host db:192.0.2.17 --add-host six:2001:db8::17"
        " --secret id=token,env=TOKEN --ssh default --target final --network host --platform linux/amd64"
        " --shm-size 67108879 --no-cache --pull /srv/shop"
    )


def test_buildkit_inside_is_asked_for_plain_progress() -> None:
    arguments = _command(_tool(BuilderKind.PLAIN), BuildSpec(context="."), "web", {}, "id")
    assert arguments == ["docker", "build", "--progress=plain", "--iidfile", "id", "--tag", "web", "--file", "-", "."]


def test_the_classic_builder_leaves_no_container_of_a_failed_step() -> None:
    arguments = _command(_tool(BuilderKind.LEGACY), BuildSpec(context="."), "web", {}, "id")
    assert arguments == ["docker", "build", "--force-rm", "--iidfile", "id", "--tag", "web", "--file", "-", "."]


@pytest.mark.parametrize("recorded", ["plain-absent-frontend-20", "plain-absent-frontend", "rawjson-absent-frontend"])
def test_a_frontend_that_cannot_be_fetched_is_named_with_what_to_do(
    tmp_path: Path, spec: BuildSpec, recorded: str
) -> None:
    Path(spec.dockerfile).write_text("# syntax=docker/dockerfile:1\nFROM busybox\nRUN true\n")
    with pytest.raises(StepFailedError, match="the Dockerfile frontend docker/dockerfile:1 could not") as caught:
        _build(tmp_path, f"cat {RECORDED}/{recorded}.txt >&2; exit 1", BuilderKind(recorded.partition("-")[0]), spec)
    assert "network is unreachable" in caught.value.why
    assert caught.value.todo.startswith("The line # syntax= asks for it. Take that away")
    assert "\n  docker pull docker/dockerfile:1\n" in caught.value.todo
    assert caught.value.place == f"{spec.dockerfile}:1"


def test_a_frontend_that_a_build_argument_asks_for_is_not_looked_for_in_the_dockerfile(
    tmp_path: Path, spec: BuildSpec
) -> None:
    with pytest.raises(StepFailedError, match="the Dockerfile frontend") as caught:
        _build(
            tmp_path,
            f"cat {RECORDED}/plain-absent-frontend.txt >&2; exit 1",
            BuilderKind.PLAIN,
            replace(spec, args=(("BUILDKIT_SYNTAX", "docker/dockerfile:1"),)),
        )
    assert caught.value.todo.startswith("The build argument BUILDKIT_SYNTAX asks for it")


@pytest.mark.parametrize(
    ("image", "reason", "todo"),
    [
        ("localhost/tonnage/shop/base:candidate", "not found", "docker load --input FILE"),
        ("docker.io/library/busybox:1", "not found", "docker pull busybox:1"),
        ("docker.io/library/busybox:1", "no match for platform in manifest: not found", "has this platform"),
        (
            "docker.io/library/busybox:1",
            "no matching manifest for linux/arm64/v8 in the manifest list",
            "has this platform",
        ),
        (
            "docker.io/library/busybox:1",
            'failed to parse platform x/: "" is an invalid component',
            "--platform=linux/amd64",
        ),
    ],
)
def test_what_to_do_about_a_base_image_suits_its_name_and_the_reason(
    tmp_path: Path, spec: BuildSpec, image: str, reason: str, todo: str
) -> None:
    words = f"#3 [internal] load metadata for {image}\n#3 ERROR: {reason}"
    with pytest.raises(StepFailedError, match="the base image") as caught:
        _build(tmp_path, f"echo {shlex.quote(words)}; exit 1", BuilderKind.PLAIN, spec)
    assert todo in caught.value.todo
    assert ("docker pull" in caught.value.todo) is (todo == "docker pull busybox:1")


@pytest.mark.parametrize(
    "reason",
    [
        'failed to parse platform : "" is an invalid component of ""',
        "the --mount option requires BuildKit",
        "Error response from daemon: dockerfile parse error line 2: Unknown flag: link",
    ],
)
def test_the_classic_builder_that_a_setting_chose_fails_by_that_setting(
    tmp_path: Path, spec: BuildSpec, reason: str
) -> None:
    tool = replace(_tool(BuilderKind.LEGACY), switched_off_by="DOCKER_BUILDKIT=0", has_buildkit=True)
    script = f"echo 'Step 1/2 : FROM --platform=$X busybox'; echo {shlex.quote(reason)}; exit 1"
    with pytest.raises(StepFailedError) as caught:
        _build(tmp_path, script, BuilderKind.LEGACY, spec, tool=tool)
    assert "DOCKER_BUILDKIT=0 is set" in caught.value.why
    assert caught.value.todo == "Let BuildKit build:\n  unset DOCKER_BUILDKIT"


@pytest.mark.parametrize(
    ("kind", "spec", "lacking"),
    [
        (BuilderKind.LEGACY, BuildSpec(context=".", secrets=("id=a",)), "secrets"),
        (BuilderKind.LEGACY, BuildSpec(context=".", ssh=("default",)), "ssh"),
        (BuilderKind.PLAIN, BuildSpec(context=".", additional_contexts=(("a", "b"),)), "additional_contexts"),
        (BuilderKind.PLAIN, BuildSpec(context=".", platforms=("linux/amd64", "linux/arm64")), "several platforms"),
    ],
)
def test_what_a_builder_cannot_do_is_refused_before_it_starts(kind: BuilderKind, spec: BuildSpec, lacking: str) -> None:
    with pytest.raises(EngineLacksError, match=lacking):
        _command(_tool(kind), spec, "web", {}, "id")


def test_a_build_returns_the_id_and_tells_where_it_is(tmp_path: Path, spec: BuildSpec) -> None:
    script = f"cat {RECORDED}/plain-success.txt >&2; printf sha256:17 > $id"
    [image_id], told = _build(tmp_path, script, BuilderKind.PLAIN, spec)
    assert image_id == "sha256:17"
    assert told.where[-1] == "exporting to image"
    assert "hi from one" in told.lines


def test_an_inline_dockerfile_is_read_from_the_input(tmp_path: Path, spec: BuildSpec) -> None:
    inline = replace(spec, dockerfile="", dockerfile_inline="FROM busybox\nRUN true\n")
    [image_id], _ = _build(tmp_path, '[ "$file" = - ] && cat > $id', BuilderKind.PLAIN, inline)
    assert image_id == "FROM busybox\nRUN true"


def test_another_base_is_a_named_context_for_buildx_and_stands_in_the_text_for_what_has_none(
    tmp_path: Path, spec: BuildSpec
) -> None:
    on_shared = replace(spec, bases=(("busybox", "localhost/tonnage/shared:0"),))
    buildx = _command(_tool(BuilderKind.RAWJSON, buildx=True), on_shared, "web", {}, "id")
    assert buildx[buildx.index("--build-context") + 1] == "busybox=docker-image://localhost/tonnage/shared:0"
    assert buildx[buildx.index("--file") + 1] == spec.dockerfile

    plain = _command(_tool(BuilderKind.PLAIN), on_shared, "web", {}, "id")
    assert "--build-context" not in plain
    assert plain[plain.index("--file") + 1] == "-"
    _build(tmp_path, f'cat > {tmp_path}/read; printf sha256:17 > "$id"', BuilderKind.PLAIN, on_shared)
    sent = (tmp_path / "read").read_text()
    assert sent == Path(spec.dockerfile).read_text().replace("FROM busybox", "FROM localhost/tonnage/shared:0")


def test_the_base_of_one_of_several_stages_stands_in_the_text_for_any_builder(tmp_path: Path, spec: BuildSpec) -> None:
    Path(spec.dockerfile).write_text("FROM busybox AS a\nFROM busybox\n")
    on_shared = replace(spec, bases=(("busybox", "localhost/tonnage/shared:0"),), base_line=1)
    for tool in (_tool(BuilderKind.RAWJSON, buildx=True), _tool(BuilderKind.PLAIN)):
        command = _command(tool, on_shared, "web", {}, "id")
        assert "--build-context" not in command
        assert command[command.index("--file") + 1] == "-"
    _build(tmp_path, f'cat > {tmp_path}/read; printf sha256:17 > "$id"', BuilderKind.PLAIN, on_shared)
    assert (tmp_path / "read").read_text() == "FROM localhost/tonnage/shared:0 AS a\nFROM busybox\n"


def test_a_base_that_is_not_certain_any_more_is_not_replaced(tmp_path: Path, spec: BuildSpec) -> None:
    Path(spec.dockerfile).write_text("FROM busybox AS a\nFROM busybox\n")
    on_shared = replace(spec, bases=(("busybox", "localhost/tonnage/shared:0"),))
    with pytest.raises(StepFailedError, match="cannot stand on"):
        _build(tmp_path, "exit 0", BuilderKind.PLAIN, on_shared)


@pytest.mark.parametrize(
    ("kind", "recorded", "last"),
    [(BuilderKind.PLAIN, "plain-failing", "it breaks here"), (BuilderKind.LEGACY, "legacy-failing", "line 60")],
)
def test_a_failure_names_the_instruction_its_line_and_its_last_lines(
    tmp_path: Path, spec: BuildSpec, kind: BuilderKind, recorded: str, last: str
) -> None:
    with pytest.raises(StepFailedError) as caught:
        _build(tmp_path, f"cat {RECORDED}/{recorded}.txt >&2; exit 1", kind, spec)
    error = caught.value
    assert type(error) is StepFailedError
    assert error.what.startswith("the build of web failed at [3/3] RUN echo before")
    assert error.place == f"{spec.dockerfile}:4"
    assert "17" in error.why
    assert error.log.splitlines()[-1] == last


def test_the_line_that_buildkit_names_goes_before_a_search(tmp_path: Path, spec: BuildSpec) -> None:
    with pytest.raises(StepFailedError) as caught:
        _build(tmp_path, f"cat {RECORDED}/rawjson-failing.txt >&2; exit 1", BuilderKind.RAWJSON, spec)
    assert caught.value.place == f"{spec.dockerfile}:10"


@pytest.mark.parametrize("kind", ["plain", "legacy"])
def test_a_dockerfile_that_cannot_be_parsed_is_named_with_the_line(tmp_path: Path, spec: BuildSpec, kind: str) -> None:
    with pytest.raises(StepFailedError) as caught:
        _build(tmp_path, f"cat {RECORDED}/{kind}-unknown-instruction.txt >&2; exit 1", BuilderKind(kind), spec)
    assert caught.value.place == f"{spec.dockerfile}:2"
    assert "unknown instruction: RUNN" in caught.value.why


@pytest.mark.parametrize("kind", ["plain", "legacy", "rawjson"])
def test_a_missing_base_image_is_named(tmp_path: Path, spec: BuildSpec, kind: str) -> None:
    Path(spec.dockerfile).write_text("# base\nFROM nothere.example.org/none:17 AS last\nRUN true\n")
    with pytest.raises(StepFailedError, match=r"base image nothere\.example\.org/none:17") as caught:
        _build(tmp_path, f"cat {RECORDED}/{kind}-missing-base.txt >&2; exit 1", BuilderKind(kind), spec)
    assert "no such host" in caught.value.why
    assert caught.value.place == f"{spec.dockerfile}:{1 if kind == 'rawjson' else 2}"


def test_a_short_name_is_found_by_what_it_stands_for(tmp_path: Path, spec: BuildSpec) -> None:
    Path(spec.dockerfile).write_text("FROM --platform=linux/amd64 busybox:latest AS one\nRUN true\n")
    words = "#3 [internal] load metadata for docker.io/library/busybox:latest\n#3 ERROR: not found"
    with pytest.raises(StepFailedError) as caught:
        _build(tmp_path, f"echo '{words}'; exit 1", BuilderKind.PLAIN, spec)
    assert caught.value.place == f"{spec.dockerfile}:1"


@pytest.mark.parametrize("recorded", ["plain-enospc", "legacy-enospc", "plain-enospc-context", "legacy-enospc-context"])
def test_a_full_disk_is_told_as_such(tmp_path: Path, spec: BuildSpec, recorded: str) -> None:
    kind = BuilderKind(recorded.partition("-")[0])
    with pytest.raises(ReserveCrossedError) as caught:
        _build(tmp_path, f"cat {RECORDED}/{recorded}.txt >&2; exit 1", kind, spec)
    assert "no space left on device" in caught.value.why.lower()


def test_an_engine_that_does_not_answer_is_told_as_such(tmp_path: Path, spec: BuildSpec) -> None:
    script = "echo 'Cannot connect to the Docker daemon at unix:///nowhere. Is it running?' >&2; exit 1"
    with pytest.raises(EngineUnreachableError):
        _build(tmp_path, script, BuilderKind.PLAIN, spec)


WENT = "ERROR: failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF"


@pytest.mark.parametrize(
    ("kind", "lines"),
    [
        (BuilderKind.PLAIN, ["#2 [2/2] RUN sleep 20", "#2 0.3 hello", WENT]),
        (BuilderKind.LEGACY, ["Step 2/2 : RUN sleep 20", " ---> Running in 17a", "unexpected EOF"]),
    ],
)
def test_an_engine_that_goes_away_in_the_middle_is_told_as_such_though_it_is_back(
    tmp_path: Path, spec: BuildSpec, kind: BuilderKind, lines: list[str]
) -> None:
    (tmp_path / "told").write_text("\n".join(lines) + "\n")
    with pytest.raises(EngineUnreachableError, match=r"the engine stopped while .* was being built"):
        _build(tmp_path, f"cat {shlex.quote(str(tmp_path / 'told'))} >&2; exit 1", kind, spec)


@pytest.mark.parametrize(
    "reason",
    [
        'process "/bin/sh -c curl" did not complete successfully: exit code: 56',
        "failed to copy: httpReadSeeker: failed open: unexpected EOF",
        "unexpected status from HEAD request to https://example.org/v2/a/manifests/1: 503 Service Unavailable",
    ],
)
def test_what_a_registry_or_a_command_says_is_no_engine_that_went_away(
    tmp_path: Path, spec: BuildSpec, reason: str
) -> None:
    (tmp_path / "told").write_text(f"#2 [2/2] RUN curl\n#2 ERROR: {reason}\nERROR: failed to solve: {reason}\n")
    with pytest.raises(StepFailedError):
        _build(tmp_path, f"cat {shlex.quote(str(tmp_path / 'told'))} >&2; exit 1", BuilderKind.PLAIN, spec)


def test_a_build_that_is_stopped_says_so_at_once(tmp_path: Path, spec: BuildSpec) -> None:
    cancel = threading.Event()
    threading.Timer(0.3, cancel.set).start()
    # Where it goes on, the limit of pytest ends the test.
    with pytest.raises(StepFailedError, match="was stopped"):
        _build(tmp_path, "exec sleep 1009", BuilderKind.PLAIN, spec, cancel)


def test_a_missing_dockerfile_or_context_is_refused_with_its_place(tmp_path: Path, spec: BuildSpec) -> None:
    for broken in (replace(spec, dockerfile="/nowhere/Dockerfile"), replace(spec, context="/nowhere")):
        with pytest.raises(UsageError, match="/nowhere") as caught:
            _build(tmp_path, "exit 0", BuilderKind.PLAIN, broken)
        assert caught.value.place == "/srv/shop/compose.yaml:17"


def test_what_buildx_made_is_named_as_engines_know_it_and_not_only_by_its_configuration(
    tmp_path: Path, spec: BuildSpec
) -> None:
    program = _program(
        tmp_path,
        'printf sha256:configuration > $id\nprintf \'{"containerimage.digest": "sha256:manifest"}\' > "$metadata"\n',
    )
    tool = _tool(BuilderKind.RAWJSON, program, buildx=True)
    given = {"PATH": "/usr/bin:/bin"}
    made = run_build(tool, spec, "web", {}, environment=given, progress=_Told(), cancel=threading.Event())
    assert made == ("sha256:manifest", "sha256:configuration")


@pytest.mark.parametrize("said", ["", "{}", "[]", "no JSON"])
def test_where_buildx_tells_no_more_the_id_counts(tmp_path: Path, spec: BuildSpec, said: str) -> None:
    program = _program(tmp_path, f"printf sha256:17 > $id\nprintf '{said}' > \"$metadata\"\n")
    tool = _tool(BuilderKind.RAWJSON, program, buildx=True)
    given = {"PATH": "/usr/bin:/bin"}
    made = run_build(tool, spec, "web", {}, environment=given, progress=_Told(), cancel=threading.Event())
    assert made == ("sha256:17",)


ATTESTED = BuildSpec(context=".", provenance="mode=max", sbom="false")
ABLE = BuildTool("docker", BuilderKind.RAWJSON, buildx=True, version="29", attests=True)


@pytest.mark.parametrize(
    ("tool", "store", "said", "lost"),
    [
        (ABLE, "containerd", {"provenance": "mode=max", "sbom": "false"}, {}),
        (ABLE, "classic", {"sbom": "false"}, {"provenance": "mode=max"}),
        (replace(ABLE, attests=False), "containerd", {}, {"provenance": "mode=max"}),
        (_tool(BuilderKind.PLAIN), "classic", {}, {"provenance": "mode=max"}),
    ],
)
def test_what_is_attached_is_as_it_is_written_where_builder_and_engine_can(
    tool: BuildTool, store: str, said: dict[str, str], lost: dict[str, str]
) -> None:
    assert attestations(tool, ATTESTED, store) == (said, lost)
    command = build_command(tool, ATTESTED, "web", {}, "id", build_variables(ATTESTED, {}), image_store=store)
    assert [word for word in command if "provenance" in word or "sbom" in word] == [
        f"--{name}={value}" for name, value in said.items()
    ]


def test_what_cannot_be_attached_is_told_and_what_is_not_asked_for_is_left_to_the_builder(
    tmp_path: Path, spec: BuildSpec
) -> None:
    script = f"cat {RECORDED}/plain-success.txt >&2; printf sha256:17 > $id"
    _, told = _build(tmp_path, script, BuilderKind.PLAIN, replace(spec, sbom="true"))
    assert "build.sbom: true has no effect: this builder can attach nothing to an image of this engine" in told.lines
    command = build_command(ABLE, FULL, "web", {}, "id", build_variables(FULL, {}), image_store="containerd")
    assert not [word for word in command if "provenance" in word or "sbom" in word]


LOST = (
    'failed to prepare extraction snapshot "extract-17 sha256:1d": parent snapshot sha256:e6 does not exist: not found'
)


@pytest.mark.parametrize(
    ("image_store", "times", "built"),
    [(CONTAINERD, 1, True), (CONTAINERD, 2, False), ("classic", 1, False)],
)
def test_a_layer_that_containerd_loses_while_it_unpacks_is_built_once_more(
    tmp_path: Path, image_store: str, times: int, *, built: bool
) -> None:
    told = _Told()
    script = (
        f'echo x >>"{tmp_path}/tries"\n'
        f'if [ "$(wc -l <"{tmp_path}/tries")" -gt {times} ]; then printf sha256:17 >$id; exit 0; fi\n'
        f"echo 'ERROR: failed to solve: {LOST}' >&2\nexit 1\n"
    )

    def build() -> tuple[str, ...]:
        return run_build(
            replace(_tool(BuilderKind.PLAIN), program=_program(tmp_path, script)),
            BuildSpec(context=str(tmp_path)),
            "web",
            {},
            image_store=image_store,
            environment={"PATH": "/usr/bin:/bin"},
            progress=told,
            cancel=threading.Event(),
        )

    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    if built:
        assert build() == ("sha256:17",)
    else:
        with pytest.raises(StepFailedError) as caught:
            build()
        assert "does not exist: not found" in caught.value.why
    assert len((tmp_path / "tries").read_text().splitlines()) == (2 if image_store == CONTAINERD else 1)
    assert any("building again" in line for line in told.lines) == (image_store == CONTAINERD)
