#!/bin/sh
# The names of this script are other names for the tonnage command, and nothing else.
set -eu

usage() {
    cat <<'END'
Usage: ./deploy.sh NAME [ARGUMENT]...

  --deploy-sequential     Deploy every service, one after the other
  --deploy-seq SERVICE    Deploy one service
  --build [SERVICE]...    Build only
  --test [SERVICE]...     Ask every service whether it is healthy
  --rollback [SERVICE]... Go back to the previous good version
  --status                Show disk, reserve and services
  --cleanup-disk          Show what would be removed to have CLEANUP_UNTIL available (14GB); with --yes, remove it
  --vm NAME...            The same on the machine VM_HOST, as VM_USER, with the stack's files at VM_PATH; alone it
                          deploys every service there
  --help                  This text

What follows is handed on: ./deploy.sh --deploy-seq web --keep-free 2GB
END
}

run() {
    if ! command -v tonnage > /dev/null; then
        echo "deploy.sh: the command tonnage is not installed, or not on the PATH" >&2
        exit 2
    fi
    verb=$1
    shift
    if [ -n "$vm" ]; then
        : "${VM_HOST:?set it to the name of the machine}"
        # It goes first: what follows may end with services after "--".
        set -- --to "ssh://${VM_USER:+$VM_USER@}$VM_HOST${VM_PATH:+/${VM_PATH#/}}" "$@"
    fi
    exec tonnage "$verb" "$@"
}

CDPATH='' cd -- "$(dirname -- "$0")"
vm=
if [ "${1:-}" = --vm ]; then
    vm=yes
    shift
    [ $# -gt 0 ] || set -- --deploy-sequential
fi
name=${1:---help}
[ $# -eq 0 ] || shift
case $name in
    --deploy-sequential) run deploy "$@" ;;
    --deploy-seq)
        case ${1:-} in
            '' | -*)
                echo "deploy.sh: name a service: ./deploy.sh --deploy-seq SERVICE" >&2
                exit 2
                ;;
        esac
        run deploy "$@"
        ;;
    --build) run build "$@" ;;
    --test) run verify "$@" ;;
    --rollback) run rollback "$@" ;;
    --status) run status "$@" ;;
    --cleanup-disk) run reclaim --until "${CLEANUP_UNTIL:-14GB}" "$@" ;;
    --help | -h) usage ;;
    *)
        printf '%s\n\n' "deploy.sh: there is no $name" >&2
        usage >&2
        exit 2
        ;;
esac
# sum: 6073b40cfa17d09fac49b60296cd2e75d07a7d6c6564db21f4f98fe5f6a79daf
