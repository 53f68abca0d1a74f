"""What is said of signs that are no full disk: what happened, why, and what to do. Pure."""

from __future__ import annotations

from typing import NamedTuple

from tonnage.decide.reports.log_limits import LIMITS, SHARED_MEMORY
from tonnage.model.reports.symptom import SymptomKind


class KnownCause(NamedTuple):
    """What is said of one kind of sign.

    Args:
        why: One sentence; empty for none.
        todo: What to do; commands stand alone on a line.
    """

    what: str
    why: str
    todo: str


_SEE_WHAT_IT_NEEDS = "See what the build needs, and what the disk has:\n  tonnage forecast\n  df --human-readable"
_CUT_SHORT: dict[str, KnownCause] = {
    "apt-signature": KnownCause(
        "perhaps a full disk: apt could not check a signature",
        "apt writes lists and signatures before it checks them: on a full disk they are cut short, and the signature"
        " does not hold. A wrong clock or missing keys do that as well.",
        "See whether the disk is full; it is the usual cause inside of a build:\n"
        "  df --human-readable\n"
        "  tonnage reclaim",
    ),
    "download": KnownCause(
        "perhaps a full disk: a download could not be written",
        "curl says 23 when it cannot write: the disk is full, the directory is not there or not ours, or the program"
        " behind a pipe ended.",
        _SEE_WHAT_IT_NEEDS,
    ),
    "short-write": KnownCause(
        "perhaps a full disk: fewer bytes were written than asked for",
        "A disk, a quota or a tmpfs without room takes a part of what is written.",
        _SEE_WHAT_IT_NEEDS,
    ),
    "archive": KnownCause(
        "perhaps a full disk: a file was cut short",
        "A disk that filled, or a connection that broke, left a part of an archive.",
        f"{_SEE_WHAT_IT_NEEDS}\nIf there was room, remove the file and download it again.",
    ),
    "temporary": KnownCause(
        "perhaps a full disk: no temporary file could be made",
        "Neither /tmp nor another directory for temporary files takes a byte: full, without inodes, or not ours to"
        " write to. In a container /tmp is a part of the engine's disk unless it is mounted.",
        "See each of them, inodes too:\n  df --human-readable /tmp /var/tmp\n  df --inodes /tmp /var/tmp",
    ),
    "database": KnownCause(
        "perhaps a full disk: a database could not write its files",
        "It says that it cannot write, and not why.",
        _SEE_WHAT_IT_NEEDS,
    ),
}
_CAUSES: dict[tuple[SymptomKind, str], KnownCause] = {
    **{(SymptomKind.CUT_SHORT, cause): said for cause, said in _CUT_SHORT.items()},
    **{
        (SymptomKind.KERNEL_LIMIT, name): KnownCause(
            f"a limit of {each.whose}, not the disk: {each.what}", each.why, each.todo
        )
        for name, each in LIMITS.items()
    },
    (SymptomKind.MEMORY, SHARED_MEMORY): KnownCause(
        "shared memory could not be had: memory, or /dev/shm, ran out",
        "The disk has nothing to do with it: shared memory is in /dev/shm, which has 64 MB in a container.",
        LIMITS[SHARED_MEMORY].todo,
    ),
    (SymptomKind.MEMORY, "gpu"): KnownCause(
        "the memory of the GPU ran out",
        "Neither the disk nor the machine's memory has to do with it.",
        "Make batches smaller, or see who else uses it:\n  nvidia-smi",
    ),
    (SymptomKind.MEMORY, "refused"): KnownCause(
        "memory ran out: a program was given none",
        "The disk has nothing to do with it.",
        "See what there is, and give the machine or the container more:\n  free --human",
    ),
    (SymptomKind.MEMORY, "heap"): KnownCause(
        "a program reached the limit of its own heap",
        "The disk has nothing to do with it, and the machine may have memory left: the limit is the program's.",
        "Raise it, if the machine has the memory:\n"
        "  NODE_OPTIONS=--max-old-space-size=4096 (Node.js, in MB)\n"
        "  JAVA_TOOL_OPTIONS=-Xmx4g (Java; Gradle: org.gradle.jvmargs)\n"
        "  memory_limit=1G (PHP)",
    ),
    (SymptomKind.REGISTRY_FULL, "quota"): KnownCause(
        "the registry's storage quota is used up, not this machine's disk",
        "The registry refuses what would exceed the quota of the project or account.",
        "Remove tags there and let it collect its garbage, or ask who runs it for a larger quota.",
    ),
    (SymptomKind.QUOTA, "namespace"): KnownCause(
        "the namespace's quota of storage is used up (Kubernetes), not a disk",
        "The cluster refuses the claim; no disk has been asked yet.",
        "See it, and remove claims or ask for more:\n  kubectl describe resourcequota",
    ),
    (SymptomKind.QUOTA, "provider"): KnownCause(
        "the provider's quota of disks is used up, not a disk",
        "The account may not have larger disks in this region.",
        "Ask the provider for more, remove unused disks, or choose another type of disk.",
    ),
    (SymptomKind.QUOTA, "artifacts"): KnownCause(
        "the storage that GitHub gives for artifacts is used up, not a disk",
        "It belongs to the account; GitHub updates it every 6 to 12 hours.",
        "Remove artifacts, or keep them for fewer days (retention-days).",
    ),
    (SymptomKind.QUOTA, "git-lfs"): KnownCause(
        "the account's quota of Git LFS is used up, not a disk",
        "The server refuses large files.",
        "Buy more, or fetch fewer files (GIT_LFS_SKIP_SMUDGE=1).",
    ),
    (SymptomKind.QUOTA, "etcd"): KnownCause(
        "etcd's database has its quota, not a full disk",
        "etcd takes no more writes above --quota-backend-bytes.",
        "Compact and defragment it:\n  etcdctl defrag\n  etcdctl alarm disarm",
    ),
    (SymptomKind.ACCESS, "server"): KnownCause(
        "the registry failed with an error of its own",
        "A registry whose disk is full answers so, too; its own log says which.",
        "Try again, and ask who runs it to look at its disk.",
    ),
    (SymptomKind.BUILD, "builder-lost"): KnownCause(
        "the builder ended in the middle of a build",
        "It was killed because memory ran out, could not write to a full disk, or was restarted.",
        "See what ended it:\n"
        "  journalctl --unit docker --since -1h\n"
        "  dmesg | grep -i 'killed process'\n"
        "  df --human-readable",
    ),
    (SymptomKind.IMAGE_MISSING, "layer"): KnownCause(
        "the image store lost a layer",
        "Something removed it during the build (docker system prune), or a full disk kept it from being stored.",
        "Build it again while nothing prunes, and see the disk:\n  tonnage status",
    ),
    (SymptomKind.IMAGE_MISSING, "blob"): KnownCause(
        "the image store lost a part of an image",
        "Something removed it (garbage collection, docker system prune), or a full disk kept it from being stored.",
        "Pull or build it again, and see the disk:\n  tonnage status",
    ),
}
_KNOWN: dict[SymptomKind, KnownCause] = {
    SymptomKind.QUOTA: KnownCause(
        "the user's quota is used up",
        "The filesystem may have room; this user may not take more of it.",
        "See it, and ask for more or remove files:\n  quota -s",
    ),
    SymptomKind.KERNEL_LIMIT: KnownCause(
        "a limit of the kernel was reached, not the disk",
        "The kernel uses the same words for file watchers, shared memory, semaphores and control groups.",
        "For /dev/shm set shm_size of the service or of its build. See the other limits:\n"
        "  sysctl fs.inotify.max_user_watches fs.inotify.max_user_instances kernel.shmmni kernel.sem",
    ),
    SymptomKind.READ_ONLY: KnownCause(
        "a filesystem is read-only",
        "It is mounted so (read_only of a service, :ro of a mount), or the kernel made it so after an error of the"
        " disk; behind Docker Desktop a full disk of the host does that, too.",
        "See how it is mounted and what the kernel says:\n"
        "  findmnt --options ro\n"
        "  dmesg | grep -i -e 'remounting' -e 'i/o error'",
    ),
    SymptomKind.DISK_ERROR: KnownCause(
        "the disk answered with an input/output error",
        "A failing disk does that, and behind Docker Desktop or a virtual machine a full disk of the host.",
        "See what the kernel says, and whether the host has room:\n"
        "  dmesg | grep -i 'i/o error'\n"
        "  df --human-readable",
    ),
    SymptomKind.REGISTRY_FULL: KnownCause(
        "the registry's disk is full, not this machine's",
        "The registry says it, and it stores what is pushed.",
        "Remove images there and collect its garbage, or ask who runs it:\n"
        "  registry garbage-collect /etc/docker/registry/config.yml",
    ),
    SymptomKind.MEMORY: KnownCause(
        "a program was killed, most likely because memory ran out",
        "The disk has nothing to do with it: exit code 137 is SIGKILL, which the kernel sends when memory runs out.",
        "Look for it, and give the machine memory or swap:\n  dmesg | grep -i 'killed process'",
    ),
    SymptomKind.SIGBUS: KnownCause(
        "a program was ended by SIGBUS",
        "A mapped file without room, a /dev/shm too small, or a file cut short.",
        "See what the build needs:\n  tonnage forecast",
    ),
    SymptomKind.LAYER: KnownCause(
        "an image's layer could not be unpacked",
        "The rest of the line names the cause.",
        "Pull it again; when it fails again the layer is damaged, or the engine may not write its data root.",
    ),
    SymptomKind.RUNNER_LOST: KnownCause(
        "the runner stopped",
        "It ran out of memory or disk, or was taken away.",
        "Watch the disk during the job:\n  tonnage watch",
    ),
    SymptomKind.LOW_DISK: KnownCause(
        "a program warned that its disk is nearly full",
        "",
        "Free what is needed and not more:\n  tonnage reclaim",
    ),
    SymptomKind.ACCESS: KnownCause(
        "the registry refused",
        "The name is wrong, the login is missing, or too many pulls were made.",
        "Log in:\n  docker login",
    ),
    SymptomKind.IMAGE_MISSING: KnownCause(
        "an image is not there",
        "It may have been pruned, or its name is wrong.",
        "Build or pull it again:\n  tonnage build",
    ),
    SymptomKind.PIP: KnownCause(
        "pip could not install",
        "It is not a full disk: the log has no sign of that.",
        "Resolve for the image's Python without building:\n  tonnage forecast",
    ),
    SymptomKind.BUILD: KnownCause(
        "the build of an image failed",
        "It is not a full disk: the log has no sign of that. The lines above it name the cause.",
        "",
    ),
}
IN_ORDER = (
    *(
        SymptomKind.QUOTA,
        SymptomKind.KERNEL_LIMIT,
        SymptomKind.REGISTRY_FULL,
        SymptomKind.MEMORY,
        SymptomKind.DISK_ERROR,
    ),
    *(SymptomKind.READ_ONLY, SymptomKind.CUT_SHORT, SymptomKind.SIGBUS, SymptomKind.LAYER, SymptomKind.RUNNER_LOST),
    *(SymptomKind.LOW_DISK, SymptomKind.ACCESS, SymptomKind.IMAGE_MISSING, SymptomKind.PIP, SymptomKind.BUILD),
)
"""Kinds, what tells most first."""
_LOCAL_WHEEL = "+c"
_NOT_FULL_NOW = frozenset(
    {SymptomKind.SIGBUS, SymptomKind.LAYER, SymptomKind.RUNNER_LOST, SymptomKind.IMAGE_MISSING, SymptomKind.CUT_SHORT}
)


def known_cause(kind: SymptomKind, cause: str, subject: str, *, has_room: bool) -> KnownCause:
    """Return what is said of a sign.

    Args:
        subject: What the line is about.
        has_room: Whether a disk was measured that it is about, and has room.
    """
    said = _CAUSES.get((kind, cause)) or _KNOWN.get(kind) or _CUT_SHORT["short-write"]
    if kind is SymptomKind.PIP and _LOCAL_WHEEL in subject:
        flavour = subject.rsplit("+", 1)[1]
        return KnownCause(
            said.what,
            f"Wheels with +{flavour} are not in the usual index: PyTorch has them in one of its own.",
            f"Name that index where it is installed:\n  --extra-index-url https://download.pytorch.org/whl/{flavour}",
        )
    if has_room and kind in _NOT_FULL_NOW:
        return said._replace(why=f"{said.why} The disk is not nearly full now.")
    return said
