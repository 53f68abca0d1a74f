"""The parts of a manager's answers that are read.

Source: Docker Engine API 1.41 to 1.51: nodes, services, tasks, configs.
"""

from __future__ import annotations

from msgspec import Struct, field


class ObjectVersion(Struct, kw_only=True):
    """The version of an object."""

    index: int = field(name="Index", default=0)


class NodeSpec(Struct, kw_only=True):
    """What people say of a node."""

    name: str = field(name="Name", default="")
    role: str = field(name="Role", default="worker")
    availability: str = field(name="Availability", default="active")
    labels: dict[str, str] | None = field(name="Labels", default=None)


class NodePlatform(Struct, kw_only=True):
    """The platform of a node."""

    architecture: str = field(name="Architecture", default="")
    os: str = field(name="OS", default="")


class NodeResources(Struct, kw_only=True):
    """What a node has."""

    nano_cpus: int = field(name="NanoCPUs", default=0)
    memory_bytes: int = field(name="MemoryBytes", default=0)


class NodeEngine(Struct, kw_only=True):
    """The engine of a node."""

    engine_version: str = field(name="EngineVersion", default="")
    labels: dict[str, str] | None = field(name="Labels", default=None)


class NodeDescription(Struct, kw_only=True):
    """What a node tells of itself."""

    host_name: str = field(name="Hostname", default="")
    platform: NodePlatform = field(name="Platform", default_factory=NodePlatform)
    resources: NodeResources = field(name="Resources", default_factory=NodeResources)
    engine: NodeEngine = field(name="Engine", default_factory=NodeEngine)


class NodeStatus(Struct, kw_only=True):
    """How a node is."""

    state: str = field(name="State", default="unknown")
    address: str = field(name="Addr", default="")


class NodeReply(Struct, kw_only=True):
    """One entry of ``GET /nodes``."""

    id: str = field(name="ID")
    version: ObjectVersion = field(name="Version")
    spec: NodeSpec = field(name="Spec", default_factory=NodeSpec)
    description: NodeDescription = field(name="Description", default_factory=NodeDescription)
    status: NodeStatus = field(name="Status", default_factory=NodeStatus)


class TaskContainerSpec(Struct, kw_only=True):
    """What a task runs; ``Image`` alone is read."""

    image: str = field(name="Image", default="")


class TaskPlacement(Struct, kw_only=True):
    """Where tasks may run."""

    constraints: list[str] | None = field(name="Constraints", default=None)


class TaskTemplate(Struct, kw_only=True):
    """How tasks are made."""

    container: TaskContainerSpec = field(name="ContainerSpec", default_factory=TaskContainerSpec)
    placement: TaskPlacement = field(name="Placement", default_factory=TaskPlacement)


class Replicated(Struct, kw_only=True):
    """How many tasks a service has."""

    replicas: int | None = field(name="Replicas", default=None)


class ServiceMode(Struct, kw_only=True):
    """Whether tasks are counted, or one runs on each node."""

    replicated: Replicated | None = field(name="Replicated", default=None)


class PortReply(Struct, kw_only=True):
    """One published port."""

    published: int = field(name="PublishedPort", default=0)
    protocol: str = field(name="Protocol", default="tcp")
    mode: str = field(name="PublishMode", default="ingress")


class EndpointReply(Struct, kw_only=True):
    """How a service is reached."""

    ports: list[PortReply] | None = field(name="Ports", default=None)


class ServiceSpecReply(Struct, kw_only=True):
    """What is wanted of a service."""

    name: str = field(name="Name", default="")
    labels: dict[str, str] | None = field(name="Labels", default=None)
    template: TaskTemplate = field(name="TaskTemplate", default_factory=TaskTemplate)
    mode: ServiceMode = field(name="Mode", default_factory=ServiceMode)
    endpoint: EndpointReply | None = field(name="EndpointSpec", default=None)


class UpdateStatus(Struct, kw_only=True):
    """How the last update of a service goes."""

    state: str = field(name="State", default="")
    message: str = field(name="Message", default="")
    started: str = field(name="StartedAt", default="")


class ServiceReply(Struct, kw_only=True):
    """One entry of ``GET /services``."""

    id: str = field(name="ID")
    version: ObjectVersion = field(name="Version")
    spec: ServiceSpecReply = field(name="Spec", default_factory=ServiceSpecReply)
    previous: ServiceSpecReply | None = field(name="PreviousSpec", default=None)
    update: UpdateStatus | None = field(name="UpdateStatus", default=None)


class ContainerStatus(Struct, kw_only=True):
    """The container of a task."""

    container_id: str = field(name="ContainerID", default="")
    exit_code: int = field(name="ExitCode", default=0)


class TaskStatus(Struct, kw_only=True):
    """How a task is."""

    state: str = field(name="State", default="")
    error: str = field(name="Err", default="")
    message: str = field(name="Message", default="")
    container: ContainerStatus | None = field(name="ContainerStatus", default=None)


class TaskSpecReply(Struct, kw_only=True):
    """What is wanted of a task."""

    container: TaskContainerSpec = field(name="ContainerSpec", default_factory=TaskContainerSpec)


class TaskReply(Struct, kw_only=True):
    """One entry of ``GET /tasks``."""

    id: str = field(name="ID")
    service_id: str = field(name="ServiceID", default="")
    node_id: str = field(name="NodeID", default="")
    slot: int = field(name="Slot", default=0)
    created: str = field(name="CreatedAt", default="")
    spec: TaskSpecReply = field(name="Spec", default_factory=TaskSpecReply)
    status: TaskStatus = field(name="Status", default_factory=TaskStatus)
    desired: str = field(name="DesiredState", default="")


class ConfigSpecReply(Struct, kw_only=True):
    """A config; its data in Base64."""

    name: str = field(name="Name", default="")
    labels: dict[str, str] | None = field(name="Labels", default=None)
    data: str | None = field(name="Data", default=None)


class ConfigReply(Struct, kw_only=True):
    """One entry of ``GET /configs``."""

    id: str = field(name="ID")
    version: ObjectVersion = field(name="Version")
    created: str = field(name="CreatedAt", default="")
    updated: str = field(name="UpdatedAt", default="")
    spec: ConfigSpecReply = field(name="Spec", default_factory=ConfigSpecReply)
