"""One plan, one run, its events and one inventory, for every test of the views."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.model.deploy.event import (
    DiskSampled,
    Notice,
    RunFinished,
    RunStarted,
    StepFinished,
    StepLog,
    StepProgress,
    StepStarted,
)
from tonnage.model.deploy.plan import (
    Build,
    CleanCache,
    Plan,
    Prove,
    Purpose,
    RemoveImage,
    Step,
    Switch,
    Unchanged,
    Version,
)
from tonnage.model.deploy.run import Measured, Outcome, Run, StepOutcome
from tonnage.model.forecast.estimate import Estimate, Grade, exactly
from tonnage.model.inventory import CacheRecord, Container, Engine, Filesystem, Image, Inventory, Layer, Volume
from tonnage.model.stack import BuildSpec, Service, Stack

if TYPE_CHECKING:
    from tonnage.model.deploy.event import (
        Event,
    )

SECRET = "swordfish"
MOUNT = "/var/lib/docker"
SIZE_BYTES = 14_000_000_029
AVAILABLE_BYTES = 9_123_456_789
LINE_BYTES = 1_000_000_007
PROJECT = {"services": {"web": {"environment": {"TOKEN": SECRET}}}}


def learned(count_bytes: int) -> Estimate:
    return Estimate(count_bytes - 3, count_bytes, count_bytes + 5, Grade.LEARNED)


DROP = Step(
    name="web.undo-build",
    service="web",
    action=RemoveImage(image="web:candidate"),
    cause="web.build failed",
    changes="removes the image web:candidate",
)
BUILD = Step(
    name="web.build",
    service="web",
    action=Build(spec=BuildSpec(context="/srv/web", args=(("TOKEN", SECRET),)), reference="web:candidate"),
    cause="its Dockerfile changed",
    changes="builds web:candidate",
    kept=learned(213_000_007),
    transient=learned(31_000_003),
    available_after=learned(8_910_456_782),
    available_lowest=learned(8_879_456_779),
    at_reserve=(
        Step(name="web.give-back", action=CleanCache(), cause="below the reserve", changes="removes build cache"),
    ),
    on_failure=(DROP,),
)
SWITCH = Step(
    name="web.switch",
    service="web",
    action=Switch(project=PROJECT, image="web:candidate", image_name="web:latest"),
    cause="its image is new",
    changes="replaces the containers of web",
)
PROVE = Step(
    name="web.prove",
    service="web",
    action=Prove(),
    cause="a version is good only when it is healthy",
    changes="nothing",
    kept=exactly(0),
    version=Version(
        service="web",
        image_name="web:latest",
        project=PROJECT,
        config_digest="c0ffee",
        inputs_digest="beef",
        prove=Prove(),
    ),
)
PLAN = Plan(
    stack="hello",
    directory="/srv",
    purpose=Purpose.DEPLOY,
    engine_id="TEST:ENGI:NE",
    endpoint="unix:///run/test.sock",
    fingerprint="f00d",
    filesystem=MOUNT,
    available_bytes=AVAILABLE_BYTES,
    reserve_bytes=LINE_BYTES,
    steps=(BUILD, SWITCH, PROVE),
    unchanged=(Unchanged(service="db", reason="nothing changed"),),
    notes=("the profile dev hides the service mail",),
)
MEASURED = Measured(
    mount=MOUNT,
    before_bytes=AVAILABLE_BYTES,
    after_bytes=AVAILABLE_BYTES - 217_000_003,
    lowest_bytes=AVAILABLE_BYTES - 249_000_017,
    samples=61,
)
BUILT = StepOutcome(
    name="web.build",
    service="web",
    kind="build",
    outcome=Outcome.DONE,
    seconds=12.34,
    measured=(MEASURED,),
    forecast_kept_bytes=213_000_007,
    forecast_grade="learned",
)
NOT_SWITCHED = StepOutcome(
    name="web.switch",
    service="web",
    kind="switch",
    outcome=Outcome.FAILED,
    seconds=0.56,
    message="the port 8080 is taken\nby another container",
    log="bind: address already in use",
)
UNDONE = StepOutcome(
    name="web.undo-build",
    service="web",
    kind="remove-image",
    outcome=Outcome.DONE,
    seconds=0.07,
    forecast_kept_bytes=0,
    forecast_grade="exact",
    undo=True,
)
RUN = Run(
    run_id=7,
    stack="hello",
    engine_id="TEST:ENGI:NE",
    purpose=Purpose.DEPLOY,
    started_s=1_795_000_007.0,
    seconds=13.57,
    outcome=Outcome.FAILED,
    filesystem=MOUNT,
    reserve_bytes=LINE_BYTES,
    steps=(BUILT, NOT_SWITCHED, UNDONE),
    message="the port 8080 is taken",
)
EVENTS: tuple[Event, ...] = (
    RunStarted(plan=PLAN, run_id=7),
    StepStarted(step=BUILD, index=1, total=3),
    StepProgress(step="web.build", text="[2/3] RUN pip install"),
    StepLog(step="web.build", line="Collecting numpy"),
    DiskSampled(mount=MOUNT, available_bytes=8_900_000_011, size_bytes=SIZE_BYTES, reserve_bytes=LINE_BYTES),
    StepFinished(outcome=BUILT),
    StepStarted(step=SWITCH, index=2, total=3),
    StepFinished(outcome=NOT_SWITCHED),
    StepStarted(step=DROP, index=1, total=1, undo=True),
    StepFinished(outcome=UNDONE),
    Notice(text="the port 8080 is taken by another container", level="warning"),
    RunFinished(run=RUN),
)
STACK = Stack(
    name="hello",
    directory="/srv",
    files=("/srv/compose.yaml",),
    services=(
        Service(name="db", image="postgres:16"),
        Service(name="web", image="hello-web", replicas=2),
        Service(name="job", image="hello-job"),
    ),
)
INVENTORY = Inventory(
    engine=Engine(
        engine_id="TEST:ENGI:NE",
        endpoint="unix:///run/test.sock",
        version="20.10.24",
        api_version="1.41",
        storage_driver="overlay2",
        image_store="classic",
        data_root=f"{MOUNT}/docker",
    ),
    filesystems=(
        Filesystem(
            mount=MOUNT,
            roles=("data-root",),
            size_bytes=SIZE_BYTES,
            available_bytes=AVAILABLE_BYTES,
            reserved_bytes=700_000_001,
            inodes=917_503,
            available_inodes=901_013,
        ),
    ),
    images=(
        Image(
            image_id="sha256:" + "a" * 64,
            references=("hello-web:latest",),
            layers=(
                Layer(chain_id="c1", diff_id="d1", size_bytes=113),
                Layer(chain_id="c2", diff_id="d2", size_bytes=217),
            ),
            size_bytes=330,
            unique_bytes=217,
            shared_bytes=113,
        ),
        Image(
            image_id="sha256:" + "b" * 64,
            references=("base:latest",),
            layers=(Layer(chain_id="c1", diff_id="d1", size_bytes=113),),
            size_bytes=113,
            unique_bytes=0,
            shared_bytes=113,
        ),
    ),
    containers=(
        Container(
            container_id="1",
            name="hello_web_1",
            image_id="sha256:" + "a" * 64,
            project="hello",
            service="web",
            number=1,
            health="healthy",
            writable_bytes=4_099,
        ),
        Container(
            container_id="2",
            name="hello_web_2",
            image_id="sha256:" + "b" * 64,
            project="hello",
            service="web",
            number=2,
            health="starting",
            writable_bytes=4_111,
        ),
        Container(
            container_id="3",
            name="hello_job_1",
            image_id="sha256:" + "b" * 64,
            project="hello",
            service="job",
            number=1,
            state="exited",
            exit_code=3,
            writable_bytes=0,
        ),
    ),
    cache=(
        CacheRecord(record_id="r1", kind="regular", description="", size_bytes=1_009, in_use=False, shared=False),
        CacheRecord(record_id="r2", kind="regular", description="", size_bytes=1_013, in_use=False, shared=True),
    ),
    volumes=(Volume(name="data", size_bytes=None),),
)
LINES = {MOUNT: LINE_BYTES}
