"""Limits of the kernel, and places of a size of their own, that are told with the words of a full disk.

``ENOSPC`` and ``EDQUOT`` come from system calls that have nothing to do with a disk: file watchers, shared memory,
semaphores, rules of a packet filter, control groups. Each has a name here, and what to do about it. Pure.
"""

from __future__ import annotations

import re

from msgspec import Struct

from tonnage.lazily import regex


class KernelLimit(Struct, frozen=True, kw_only=True):
    """One limit.

    Args:
        what: What was reached, after "not the disk:".
        why: One sentence.
        todo: What to do; commands stand alone on a line.
        whose: Who has this limit.
    """

    what: str
    why: str
    todo: str
    whose: str = "the kernel"


SHARED_MEMORY = "shared-memory"
SEMAPHORES = "semaphores"
_SHM_SIZE = (
    "Give the container more of it: shm_size of the service, or of its build:\n"
    "  shm_size: 2gb\n"
    "With docker run it is --shm-size. See what there is:\n"
    "  df --human-readable /dev/shm"
)
LIMITS: dict[str, KernelLimit] = {
    SHARED_MEMORY: KernelLimit(
        what="shared memory (/dev/shm) ran out",
        why="A container has 64 MB of it unless shm_size says otherwise; workers of a DataLoader, NCCL and databases"
        " need more.",
        todo=_SHM_SIZE,
    ),
    SEMAPHORES: KernelLimit(
        what="no semaphore could be made: /dev/shm is full, or their number is limited",
        why="Semaphores of POSIX are files in /dev/shm; those of System V are counted by kernel.sem.",
        todo=f"{_SHM_SIZE}\n  sysctl kernel.sem",
    ),
    "inotify": KernelLimit(
        what="too many files are watched (inotify)",
        why="Every watched file or directory counts for its user, in all containers together.",
        todo="Raise the limit on the machine, not in the container:\n"
        "  sudo sysctl fs.inotify.max_user_watches=524288 fs.inotify.max_user_instances=512",
    ),
    "netfilter": KernelLimit(
        what="a rule of the packet filter (iptables, nf_tables) was refused",
        why="The kernel refuses a rule, chain or set with the words of a full disk.",
        todo="See how many rules there are; restarting the engine recreates its own:\n"
        "  sudo nft list ruleset | wc --lines\n"
        "  sudo systemctl restart docker",
    ),
    "network": KernelLimit(
        what="a network has no place for another interface, address or route",
        why="A bridge takes 1023 interfaces, and tables of addresses and routes have sizes of their own.",
        todo="Remove unused networks and containers:\n  docker network prune",
    ),
    "cgroup": KernelLimit(
        what="a control group could not be made or set",
        why="Their number is limited, dead ones count, and cpuset takes only processors that are there.",
        todo="See how many there are; removed containers give theirs back, and so does a restart:\n"
        "  cat /proc/cgroups\n"
        "  docker container prune",
    ),
    "keyring": KernelLimit(
        what="the user's keyring is full",
        why="Each container takes a key, and kernel.keys.maxkeys counts them for each user.",
        todo="Raise the limit:\n  sudo sysctl kernel.keys.maxkeys=2000 kernel.keys.maxbytes=1000000",
    ),
    "namespaces": KernelLimit(
        what="no further namespace may be made",
        why="Each user may have so many of each kind; 0 switches them off.",
        todo="See the limits:\n  sysctl user.max_user_namespaces user.max_mnt_namespaces user.max_net_namespaces",
    ),
    "mounts": KernelLimit(
        what="too many mounts",
        why="A mount namespace takes fs.mount-max mounts.",
        todo="See how many there are:\n  wc --lines /proc/self/mountinfo\n  sysctl fs.mount-max",
    ),
    "terminals": KernelLimit(
        what="no further terminal (pty) may be opened",
        why="kernel.pty.max counts them.",
        todo="See the limit:\n  sysctl kernel.pty.max kernel.pty.nr",
    ),
    "message-queues": KernelLimit(
        what="no further message queue may be made",
        why="fs.mqueue and kernel.msgmni count them.",
        todo="See the limits:\n  sysctl fs.mqueue.queues_max kernel.msgmni",
    ),
    "epoll": KernelLimit(
        what="too many descriptors are watched (epoll)",
        why="fs.epoll.max_user_watches counts them for each user.",
        todo="See the limit:\n  sysctl fs.epoll.max_user_watches",
    ),
    "bpf": KernelLimit(
        what="a program or map of the kernel's BPF was refused",
        why="Maps and perf events have sizes of their own.",
        todo="",
    ),
    "open-files": KernelLimit(
        what="too many files or connections are open",
        why="Each process may have so many open (nofile), and the machine so many in all (fs.file-max).",
        todo="Give the service more, in the compose file:\n"
        "  ulimits: {nofile: 65536}\n"
        "See the limits:\n"
        "  ulimit -n\n"
        "  sysctl fs.file-nr",
    ),
    "processes": KernelLimit(
        what="no further process or thread could be started",
        why="A container may have so many (pids), a user so many (nproc), and the machine so many in all.",
        todo="Raise the limit of the service (pids_limit, or deploy.resources.limits.pids), or start fewer workers."
        " See the limits:\n"
        "  ulimit -u\n"
        "  sysctl kernel.pid_max kernel.threads-max",
    ),
    "connections": KernelLimit(
        what="the kernel's table of connections is full",
        why="It drops packets of new connections then; net.netfilter.nf_conntrack_max is its size.",
        todo="Raise it:\n  sudo sysctl net.netfilter.nf_conntrack_max=262144",
    ),
    "loop-devices": KernelLimit(
        what="there is no free loop device",
        why="An image file is mounted through one, and their number is limited.",
        todo="See which are in use, and detach those that are not:\n  losetup --list",
    ),
    "memory-maps": KernelLimit(
        what="a process may not have as many memory maps as the program wants",
        why="vm.max_map_count limits them on the machine; search engines and databases need more than its default.",
        todo="Raise it on the machine, not in the container:\n  sudo sysctl vm.max_map_count=262144",
    ),
    "layers": KernelLimit(
        whose="the engine",
        what="an image has more layers than it can stack",
        why="overlay2 stacks 128 directories: each instruction that writes is one, those of the base image included.",
        todo="Join instructions of the Dockerfile, or copy the result into one layer of a last stage:\n"
        "  docker history IMAGE",
    ),
    "overlay-on-overlay": KernelLimit(
        what="an overlay filesystem is stacked on others",
        why="An engine whose data root is in a container's own filesystem stacks overlay on overlay, at most two deep.",
        todo="Give the inner engine a volume for its data root:\n  docker run --volume /var/lib/docker ...",
    ),
    "addresses": KernelLimit(
        whose="the engine",
        what="there is no free address, or no free address range for another network",
        why="Every network takes a range out of default-address-pools (31 of them unless it is set), and every"
        " container an address. A VPN may cover the ranges that are left.",
        todo="Remove unused networks, or set smaller ranges in daemon.json (default-address-pools):\n"
        "  docker network ls\n"
        "  docker network prune",
    ),
    "usb": KernelLimit(
        what="a USB bus has no bandwidth left",
        why="The kernel says so when devices ask for more than the bus has.",
        todo="Use another port, or a smaller picture.",
    ),
    "firmware": KernelLimit(
        what="the memory of the firmware (EFI variables) is full",
        why="It is a chip of a few kilobytes.",
        todo="See the entries:\n  efibootmgr --verbose",
    ),
    "directory": KernelLimit(
        what="one directory has as many entries as its filesystem takes",
        why="The index of a directory of ext4 has two levels unless large_dir is set.",
        todo="Spread the files over several directories.",
    ),
    "kernel": KernelLimit(
        what="a file of the kernel (/proc, /sys) refused what was written",
        why="Such files have no place on a disk.",
        todo="",
    ),
}

# The first that holds names the limit.
# Names of packages and files do not count: a full disk may stop the install of iptables, too.
_LIMIT = regex(
    r"""
    (?P<semaphores>\b(?:semget|sem_open|semlock)\b|(?<![/\w.-])semaphores?(?![/\w.-]))
    | (?P<shared_memory>/dev/shm|</?torch_|\bshm_open\b|\bshmget\b|\bshmat\b|(?<![/\w.-])shared\ memory(?![/\w.-])
       |shared\ file\ mapping|_posixshmem|\bshm\ file|/psm_[0-9a-z]|insufficient\ shm)
    | (?P<inotify>inotify_(?:add|init)\w*|(?<![/\w.-])inotify(?![/\w.-])|file\ watchers|(?<![/\w.-])fsnotify(?![/.-])
       |\bdirectory\ watch\b|\bsyscall:\ '?watch'?|\bwatch\ enospc|,\ watch\b|\b(?:failed|unable
       |cannot)\ (?:to\ )?watch\b)
    | (?P<netfilter>\b(?:rule|chain|table|set|setelem)_(?:insert|append|add|replace)\ failed
       |(?<![/\w.-])ip6?tables(?:-restore)?
       (?:\ v\d|\ failed|:|\ --|\ -\w)|\bnf_tables\b|(?<![/\w.-])nft(?![/\w.-])|could\ not\ process\ rule|\bipset\ v\d)
    | (?P<network>\bpair\ interfaces\b|\bveth\w*\b|(?<![/\w.-])(?:rt)?netlink(?![/\w.-])|\badd\ interface\b)
    | (?P<cgroup>/sys/fs/cgroup|(?<![/\w.-])cpuset|(?<![/\w.-])cgroups?(?![/\w-]))
    | (?P<keyring>session\ key(?:ring)?\b|\bkeyctl\b|\badd_key\b)
    | (?P<namespaces>user\ namespace|mount\ namespace|new\ namespace|\bunshare(?:\ failed)?:|\bsetns\b
       |fork/exec\ /proc/self/exe)
    | (?P<mounts>mount\(2\)\ system\ call\ failed|mount\ through\ procfd)
    | (?P<terminals>/dev/ptmx|posix_openpt|\bopenpty\b|allocat\w+\ (?:a\ )?pty|pseudo.?terminal)
    | (?P<message_queues>\bmsgget\b|\bmq_open\b)
    | (?P<epoll>\bepoll_(?:ctl|create)|\bepoll:)
    | (?P<bpf>(?<![/\w.-])e?bpf(?![/\w.-])|\blibbpf:|\bbpf_\w+|perf_event_open|perf\ buffer)
    | (?P<usb>vidioc_|\busb_submit_urb|usbfs|not\ enough\ bandwidth|uvcvideo)
    | (?P<firmware>\befivars?\b|\befibootmgr\b|boot\ variable)
    | (?P<directory>index\ full,\ reach\ max)
    | (?P<loop_devices>loop\ device|\blosetup:)
    | (?P<kernel>(?<![\w.])/(?:sys|proc)/(?!self/fd)\S)
    """,
    re.VERBOSE | re.IGNORECASE,
)
# What stands on the lines above an error that names nothing: its frames, or its first line.
_FRAMES = regex(
    r"(?P<semaphores>semlock|multiprocessing/synchronize\.py)"
    r"|(?P<shared_memory>shared_memory\.py|_posixshmem|shm_open|multiprocessing/heap\.py"
    r"|multiprocessing/reductions\.py)"
    r"|(?P<inotify>inotify|watchdog/|watchfiles|fswatcher|fs/watchers|chokidar|watchpack|, watch\b|file watchers"
    r"|error: [^\n]{0,60}\bwatch)",
    re.IGNORECASE,
)
_BARE = regex(
    r"(?:^|\s)(?:OSError|IOError|FileNotFoundError|BlockingIOError|RuntimeError)\b"
    # What Node.js and Rust say of an error stands on lines of its own below it.
    r"|^\s*(?:errno|code|syscall): |^\s*(?:\d+: )?No space left on device \(os error 28\)$"
)
_SHARED_MEMORY = regex(
    r"""
    dataloader\ worker\ \(pid(?:\(s\))?[^)]{0,200}\)\ (?:is\ killed\ by\ signal:\ bus\ error|exited\ unexpectedly)
    | out\ of\ shared\ memory
    | bus\ error\ encountered\ in\ worker
    | creating\ shared\ memory\ in\ /dev/shm/\S{1,200}\ failed | \bora-00845\b
    | insufficient\ shared\ memory
    | could\ not\ (?:resize|create)\ shared\ memory\ segment
    | error\ while\ creating\ shared\ memory\ segment
    | not\ enough\ space\ (?:for|in|on)\ /dev/shm
    | /dev/shm\b[^\n]{0,80}\b(?:is\ full|too\ small|not\ enough|insufficient)
    """,
    re.VERBOSE | re.IGNORECASE,
)


# Limits that have words of their own, and not those of a full disk.
_OTHER = regex(
    r"""
    (?P<open_files>too\ many\ open\ files|\bemfile\b|\benfile\b|\[errno\ 24\]|\(os\ error\ 24\)|\berrno[\ :=]+24\b)
    | (?P<processes>\bpthread_create\b[^\n]{0,40}(?:failed|resource\ temporarily\ unavailable)
       |\b(?:fork|clone|vfork|spawn)\w*\b[^\n]{0,80}resource\ temporarily\ unavailable
       |can't\ start\ new\ thread|unable\ to\ create\ (?:new\ )?native\ thread|failed\ to\ create\ new\ os\ thread
       |failed\ to\ (?:start|create)\ (?:a\ )?(?:worker\ )?thread\b|cannot\ fork\b|\bno\ more\ processes\b)
    | (?P<connections>nf_conntrack:\ (?:nf_conntrack:\ )?table\ full)
    | (?P<loop_devices>(?:find|get|set\ ?up|no|any)\ (?:a\ |an\ |any\ )?(?:free|unused)\ loop\ device
       |failed\ to\ set\ ?up\ loop\ device(?!.{0,300}no\ such\ file))
    | (?P<memory_maps>\bvm\.max_map_count\ \[\d+\]\ .{0,20}too\ low|\bmax_map_count\b.{0,40}too\ low)
    | (?P<layers>(?<!recursion\ )\bmax\ depth\ exceeded\b(?!\ for)
       |mount\ data\ .{0,400}\ too\ large\ \d+\ >=\ page\ size)
    | (?P<overlay_on_overlay>maximum\ fs\ stacking\ depth\ exceeded)
    | (?P<addresses>non-overlapping\ ipv[46]\ address\ pool|predefined\ address\ pools\ have\ been\ fully\ subnetted
       |no\ available\ (?:ipv[46]\ )?addresses\ on\ this\ network's\ address\ pools
       |no\ available\ addresses\ in\ range\ set)
    | (?P<network>neighbou?r\ table\ overflow)
    | (?P<inotify>inotify\ (?:watch|instance)e?s?\ limit\ (?:reached|exceeded)|limit\ of\ inotify\ (?:watches
       |instances)\ reached|limit\ \(\d+\)\ on\ the\ number\ of\ inotify\ instances\ has\ been\ reached)
    """,
    re.VERBOSE | re.IGNORECASE,
)


def other_limit_in(line: str) -> str:
    """Return the name of the limit that a line tells in words of its own; empty for none."""
    found = _OTHER.search(line)
    if found is None:
        return ""
    name = (found.lastgroup or "").replace("_", "-")
    # What watches files has descriptors of its own kind.
    return limit_in(line) or name if name == "open-files" else name


def limit_in(line: str, above: str = "") -> str:
    """Return the name of the limit that a line about missing space is really about; empty for a disk.

    Args:
        line: The line, which says that there is no space.
        above: The few lines above it: some errors are known by their frames.
    """
    found = _LIMIT.search(line)
    if found is None and above and _BARE.search(line):
        found = _FRAMES.search(above)
    return (found.lastgroup or "").replace("_", "-") if found is not None else ""


def tells_of_shared_memory(line: str) -> bool:
    """Return whether a line says that shared memory ran out, in words of its own."""
    return _SHARED_MEMORY.search(line) is not None
