"""GitHub workflows for a stack, as text. Knows names and figures only; nothing is read and nothing is run.

Nothing that a stranger can choose (a branch's name, a title, an input) stands in a shell line: it reaches the shell
as an environment variable. Permissions are the least that the steps need. Text between two marks belongs to the user.
"""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

from tonnage.escapes import visible_in_line
from tonnage.views.ci.steps import GITHUB_REGISTRY, in_order, login, step
from tonnage.views.ci.workflow_notes import secrets_note, too_large_note

if TYPE_CHECKING:
    from tonnage.model.reports.ci_job import RunnerService, RunnerStack

DOCKER_DEPLOY = "docker-deploy.yml"
SEQUENTIAL_DEPLOY = "sequential-deploy.yml"
WORKFLOWS = (DOCKER_DEPLOY, SEQUENTIAL_DEPLOY)
# Source: the releases of the action; the commit of its tag, looked up on 2026-11-23.
CHECKOUT = "actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0"
WRITTEN = "# Written by `tonnage ci github` for the stack "
DIRECTORY = "# Its directory: "
ANEW = "# Regenerate with: "

_VM = '"ssh://${VM_USER:+$VM_USER@}$VM_HOST${VM_PATH:+/${VM_PATH#/}}"'
# What a pull request brings is built, and goes nowhere.
_TRUSTED = "github.event_name != 'pull_request'"
_PLAN = '"$RUNNER_TEMP/plan.json"'
_REPORT = '"$RUNNER_TEMP/report.md"'
# What depends on the runner, such as its directory and its variables, is asked for there.
_STATUS = '{} --json > "$RUNNER_TEMP/status.json"\n'


def workflows(stack: RunnerStack) -> dict[str, str]:
    """Write both workflows of a stack."""
    return {DOCKER_DEPLOY: docker_deploy(stack), SEQUENTIAL_DEPLOY: sequential_deploy(stack)}


def docker_deploy(stack: RunnerStack) -> str:
    """Write the workflow that builds on every push: each service on a runner of its own, or all of them on one."""
    triggers = f"on:\n  push:\n    branches: [{json.dumps(stack.branch)}]\n"
    push = " ${PUSH:+--push}" * bool(stack.registries)
    build = _build_together(stack, push) if stack.together else _build_each(stack, push)
    deploy = (
        _head(
            stack,
            "deploy",
            "Deploy to the VM",
            needs="build",
            secrets=True,
            alone=_ONE_DEPLOY,
            packages="read",
        )
        + _VM_ENVIRONMENT
        + in_order(
            [
                # All of them: the user's own first steps stand on what was checked out.
                *_first_steps(stack),
                *(login(stack, condition=_DEPLOYS) if stack.is_pulled else ()),
                _ssh(),
                step("Deploy", f"{_deploy(stack)} --to {_VM}", condition=_DEPLOYS),
            ]
        )
    )
    return _workflow(stack, "docker-deploy", triggers, build + "\n" + deploy)


def _build_each(stack: RunnerStack, push: str) -> str:
    rows = "".join(
        f"          - service: {json.dumps(service.name)}\n"
        + (f"            push: {json.dumps('yes' * service.pushed)}\n" if push else "")
        for service in stack.built
    )
    steps = [
        *_first_steps(stack),
        *login(stack),
        _free(stack, "", "--build "),
        step(
            f"Build{' and push' * bool(push)}",
            f'{_tonnage(stack, "build")}{push} --cleanup-after "$SERVICE" {_events(1)}',
        ),
        *_closing(stack),
    ]
    return (
        _head(stack, "build", "Build ${{ matrix.service }}", secrets=bool(stack.registries), packages="write")
        + f"    strategy:\n      fail-fast: false\n      matrix:\n        include:\n{rows}"
        + "    env:\n      SERVICE: ${{ matrix.service }}\n"
        + f"      PUSH: ${{{{ {_TRUSTED} && matrix.push || '' }}}}\n" * bool(push)
        + in_order(steps)
    )


def _build_together(stack: RunnerStack, push: str) -> str:
    """Write one job for all services: layers that they have in common are made once, and pushed once."""
    pushed = [each.name for each in stack.built if push and each.pushed]
    others = [each.name for each in stack.built if each.name not in pushed]
    steps = [*_first_steps(stack), *login(stack), _free(stack, "", "--build ", names="")]
    if pushed:
        names = shlex.join(pushed)
        steps.append(step("Build and push", f"{_tonnage(stack, 'build')}{push} --cleanup-after {names} {_events(1)}"))
    if others:
        steps.append(step("Build", f"{_tonnage(stack, 'build')} --cleanup-after {shlex.join(others)} {_events(2)}"))
    return (
        _head(stack, "build", "Build", secrets=bool(stack.registries), packages="write")
        + f"    env:\n      PUSH: ${{{{ {_TRUSTED} && 'yes' || '' }}}}\n" * bool(pushed)
        + in_order([*steps, *_closing(stack)])
    )


def sequential_deploy(stack: RunnerStack) -> str:
    """Write the workflow that is started by hand: one runner, one service after the other."""
    choices = "".join(f"          - {json.dumps(name)}\n" for name in ("all", *(each.name for each in stack.built)))
    triggers = (
        "on:\n  workflow_dispatch:\n    inputs:\n"
        "      service:\n        description: Which service\n        type: choice\n        default: all\n"
        f"        options:\n{choices}"
        "      cleanup_after:\n        description: Remove each service and what its build left before the next\n"
        "        type: boolean\n        default: true\n"
    )
    turns = [step for service in stack.built for step in _turn(stack, service)]
    sequence = (
        _head(
            stack,
            "sequential",
            "One service after the other",
            secrets=bool(stack.registries),
            runner="${{ matrix.runner }}",
            packages="write",
        )
        + f"    strategy:\n      max-parallel: 1\n      matrix:\n        runner: [{_runs_on(stack)}]\n"
        + in_order([*_first_steps(stack), *login(stack), *turns, _all_healthy(stack), *_closing(stack)])
    )
    verify = (
        _head(
            stack,
            "verify",
            "Verify all services",
            needs="sequential",
            secrets=True,
            alone=_ONE_DEPLOY,
            packages="read",
        )
        + _VM_ENVIRONMENT
        + in_order([*_first_steps(stack), *login(stack), *_verify(stack)])
    )
    return _workflow(stack, "sequential-deploy", triggers, sequence + "\n" + verify)


# At the level of a step: the variables of an environment are not known yet when a job's condition is looked at.
_IS_DEPLOYED = "vars.VM_HOST != ''"
_DEPLOYS = f"{_IS_DEPLOYED} && {_TRUSTED}"
_ONE_DEPLOY = "deploy-to-the-vm"
_VM_ENVIRONMENT = "    env:\n" + "".join(
    f"      {name}: ${{{{ vars.{name} }}}}\n" for name in ("VM_HOST", "VM_USER", "VM_PATH")
)


def _workflow(stack: RunnerStack, name: str, triggers: str, jobs: str) -> str:
    return (
        f"{WRITTEN}{visible_in_line(stack.name)}.\n"
        f"{DIRECTORY}{visible_in_line(stack.directory)}\n"
        f"{ANEW}{stack.written_by}\n"
        '# What stands between "# keep: NAME" and "# end: NAME" is kept; everything else is overwritten.\n'
        f"{secrets_note(stack)}{too_large_note(stack)}"
        f"name: {name}\n\n"
        f"{triggers}  # keep: more-triggers\n  # end: more-triggers\n\n"
        "permissions: {}\n\n"
        "concurrency:\n"
        f"  group: {name}-${{{{ github.ref }}}}\n"
        "  cancel-in-progress: false\n\n"
        "env:\n"
        '  DOCKER_BUILDKIT: "1"\n'
        "  BUILDKIT_PROGRESS: plain\n"
        '  PIP_NO_CACHE_DIR: "1"\n'
        '  PIP_DISABLE_PIP_VERSION_CHECK: "1"\n'
        "  # keep: environment\n"
        "  # end: environment\n\n"
        f"jobs:\n{jobs}"
    )


def _head(
    stack: RunnerStack,
    job: str,
    name: str,
    *,
    needs: str = "",
    secrets: bool = False,
    alone: str = "",
    runner: str = "",
    packages: str = "",
) -> str:
    defaults = f"    defaults:\n      run:\n        working-directory: {json.dumps(stack.directory)}\n"
    return "".join(
        (
            f"  {job}:\n    name: {json.dumps(name)}\n",
            f"    needs: {needs}\n" if needs else "",
            f"    runs-on: {runner or _runs_on(stack)}\n",
            "    environment: tonnage\n" if secrets else "",
            f"    concurrency:\n      group: {alone}\n      cancel-in-progress: false\n" if alone else "",
            "    permissions:\n      contents: read\n",
            f"      packages: {packages} # images in {GITHUB_REGISTRY}\n" * (GITHUB_REGISTRY in stack.registries)
            if packages
            else "",
            "    timeout-minutes: 120\n",
            defaults if stack.directory != "." else "",
        )
    )


def _runs_on(stack: RunnerStack) -> str:
    return json.dumps(stack.runner[0] if len(stack.runner) == 1 else stack.runner)


def _events(number: int) -> str:
    """Return what has a run write its events down, for the report."""
    return f'--events "$RUNNER_TEMP/events-{number}.jsonl"'


def _first_steps(stack: RunnerStack) -> list[str]:
    return [
        f"      - uses: {CHECKOUT}\n        with:\n          persist-credentials: false\n",
        step("Install Tonnage", stack.install),
        "      # keep: first-steps\n      # end: first-steps\n",
    ]


def _tonnage(stack: RunnerStack, verb: str) -> str:
    return " ".join(("tonnage", verb, *map(shlex.quote, stack.flags)))


def _deploy(stack: RunnerStack) -> str:
    """Return the command that deploys to another machine, which pulls what was pushed where it can."""
    return f"{_tonnage(stack, 'deploy')}{' --no-build' * stack.is_pulled}"


def _free(
    stack: RunnerStack,
    condition: str,
    flags: str,
    environment: dict[str, str] | None = None,
    *,
    names: str = ' "$SERVICE"',
) -> str:
    # A plan that does not fit ends with 3, and is saved all the same: it says how much is missing.
    # SDKs and tools of a hosted runner belong to root; what is the user's has to stay reachable, so HOME goes along.
    return step(
        "Free disk, only as much as the plan needs",
        f"{_tonnage(stack, 'plan')} {flags}--out {_PLAN}{names} ||\n"
        '  { code=$?; test "$code" -eq 3 || exit "$code"; }\n'
        "root=()\n"
        'if [ "$(id -u)" -ne 0 ] && sudo --non-interactive true; then\n'
        '  root=(sudo --preserve-env "HOME=$HOME")\n'
        "fi\n"
        f'"${{root[@]}}" "$(command -v tonnage)"{_tonnage(stack, "reclaim").removeprefix("tonnage")}'
        f" --for {_PLAN} --yes",
        condition=condition,
        environment=environment,
    )


def _turn(stack: RunnerStack, service: RunnerService) -> list[str]:
    """Return the steps of one service: free, build and verify, push, clean."""
    mine = f"inputs.service == 'all' || inputs.service == '{service.name}'"
    this = {"SERVICE": json.dumps(service.name)}
    together = " ".join(reversed(stack.done_with(service.name)))
    alone = " ".join((service.name, *service.needs))
    steps = [
        _free(stack, mine, "", this),
        step(
            f"Build and verify {service.name}",
            f'{_tonnage(stack, "deploy")} "$SERVICE" {_events(stack.built.index(service) + 1)}',
            condition=mine,
            # Where images lie in containerd, a deploy leaves its build cache to the next one.
            environment={**this, "TONNAGE_CLEANUP": "${{ inputs.cleanup_after && 'always' || '' }}"},
        ),
    ]
    if service.pushed:
        push = f'{_tonnage(stack, "build")} --push "$SERVICE"'
        steps.append(step(f"Push {service.name}", push, condition=mine, environment=this))
    steps.append(
        step(
            f"Clean up after {service.name}",
            f"{_STATUS.format(_tonnage(stack, 'status'))}"
            'stack=$(jq --raw-output .stack "$RUNNER_TEMP/status.json")\n'
            "for each in $DONE; do\n"
            '  docker ps --all --quiet --filter "label=com.docker.compose.project=$stack" \\\n'
            '    --filter "label=com.docker.compose.service=$each" |\n'
            "    xargs --no-run-if-empty docker rm --force --volumes\n"
            "  docker image ls --format '{{.Repository}}:{{.Tag}}' \"localhost/tonnage/$stack/$each\" |\n"
            "    xargs --no-run-if-empty docker image rm\n"
            f'  {_tonnage(stack, "build")} --cleanup-after "$each"\n'
            "done",
            condition=f"inputs.cleanup_after && ({mine})",
            environment={"DONE": f"${{{{ inputs.service != 'all' && '{alone}' || '{together}' }}}}"},
        )
    )
    return steps


def _all_healthy(stack: RunnerStack) -> str:
    together = " ".join(service.name for service in stack.built)
    return step(
        "Verify what runs here",
        f'read -r -a names <<< "$SERVICES"\n{_tonnage(stack, "verify")} "${{names[@]}}"',
        condition="!inputs.cleanup_after",
        environment={"SERVICES": f"${{{{ inputs.service == 'all' && '{together}' || inputs.service }}}}"},
    )


def _ssh() -> str:
    return step(
        "Prepare ssh",
        "install --directory --mode 700 ~/.ssh\n"
        "(umask 077 && printf '%s\\n' \"$VM_SSH_KEY\" > ~/.ssh/id_ed25519)\n"
        "printf '%s\\n' \"$VM_KNOWN_HOSTS\" >> ~/.ssh/known_hosts",
        condition=_IS_DEPLOYED,
        environment={"VM_SSH_KEY": "${{ secrets.VM_SSH_KEY }}", "VM_KNOWN_HOSTS": "${{ vars.VM_KNOWN_HOSTS }}"},
    )


def _verify(stack: RunnerStack) -> list[str]:
    """Return the steps that ask every service: on the machine where it runs, else its image in its registry."""
    steps = [
        _ssh(),
        step(
            "Deploy to the VM",
            f'{_deploy(stack)} --to {_VM} ${{SERVICE:+"$SERVICE"}}',
            condition=_IS_DEPLOYED,
            environment={"SERVICE": "${{ inputs.service != 'all' && inputs.service || '' }}"},
        ),
        step("Verify on the VM", f"{_tonnage(stack, 'verify')} --to {_VM}", condition=_IS_DEPLOYED),
    ]
    pushed = [service for service in stack.built if service.pushed]
    if pushed:
        names = ", ".join(json.dumps(service.name) for service in pushed)
        insecure = any(service.is_of_runner for service in pushed)
        script = (
            f"{_STATUS.format(_tonnage(stack, 'status'))}"
            f"jq --raw-output '.services[] | select(.service | IN({names})) | .image' \\\n"
            '  "$RUNNER_TEMP/status.json" > "$RUNNER_TEMP/images"\n'
            'test -s "$RUNNER_TEMP/images"\n'
            "while read -r image; do\n"
            f'  docker manifest inspect {"--insecure " * insecure}"$image" > /dev/null\n'
            'done < "$RUNNER_TEMP/images"'
        )
        steps.append(step("Verify that every image was pushed", script, condition="inputs.service == 'all'"))
    else:
        told = "::notice::no image is pushed and VM_HOST is not set: each service was verified where it was built"
        steps.append(step("Say what is left to verify", f"echo {shlex.quote(told)}", condition="vars.VM_HOST == ''"))
    return steps


def _closing(stack: RunnerStack) -> list[str]:
    """Return the steps that only tell, also of a job that failed."""
    return [_report(stack), *([_next_runner(stack)] if stack.successor else [])]


def _next_runner(stack: RunnerStack) -> str:
    runner = shlex.quote(",".join(stack.runner))
    return step(
        f"Say what {stack.successor} would need",
        f"{_tonnage(stack, 'ci next-runner')} --runner {runner} --runner-disk {stack.runner_bytes}B \\\n"
        '  >> "$GITHUB_STEP_SUMMARY" ||\n'
        f"  echo '::notice::what {stack.successor} would need could not be forecast'",
        condition="always()",
    )


def _report(stack: RunnerStack) -> str:
    return step(
        "Report",
        # GitHub shows nothing of a summary above 1 MiB.
        f'for events in "$RUNNER_TEMP"/events-*.jsonl; do\n'
        f'  test ! -e "$events" || {_tonnage(stack, "ci summary")} --events "$events"\n'
        f"done > {_REPORT}\n"
        f'head --bytes=1000000 {_REPORT} >> "$GITHUB_STEP_SUMMARY"\n'
        f"{_tonnage(stack, 'report')} --last 20",
        condition="always()",
    )
