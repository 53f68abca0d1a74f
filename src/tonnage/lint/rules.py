"""All rules, in the order of their pages, and how one is found by any of its names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.errors import UsageError
from tonnage.lint.dockerfile_rules import (
    apt_archives,
    apt_lists,
    apt_recommends,
    apt_upgrade,
    build_tools,
    bytecode,
    cache_mount,
    changed_later,
    copied_archive,
    copied_before_install,
    cuda_twice,
    high_user_id,
    installer_cache,
    installer_copied,
    large_base,
    other_caches,
    pip_cache,
    pip_peak,
    removed_later,
    torch_replaced,
    uv_cache,
    weights_inside,
    wheel_leftovers,
    whole_stage,
)
from tonnage.lint.requirement_rules import index_on_requirement, torch_cuda, unpinned_torch
from tonnage.lint.stack_rules import (
    different_bases,
    different_order,
    different_versions,
    no_health_check,
    no_ignore_file,
    split_install,
    torch_for_inference,
)
from tonnage.lint.workflow_rules import no_disk_check, pasted_cleanup, prune_between_builds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.lint.rule import DockerfileRule, StackRule, TextRule
    from tonnage.model.reports.lint import RuleText

DOCKERFILE_RULES: tuple[DockerfileRule, ...] = (
    pip_cache.RULE,
    uv_cache.RULE,
    installer_cache.RULE,
    cache_mount.RULE,
    installer_copied.RULE,
    cuda_twice.RULE,
    apt_lists.RULE,
    apt_recommends.RULE,
    apt_archives.RULE,
    apt_upgrade.RULE,
    other_caches.RULE,
    removed_later.RULE,
    changed_later.RULE,
    copied_archive.RULE,
    whole_stage.RULE,
    build_tools.RULE,
    large_base.RULE,
    high_user_id.RULE,
    copied_before_install.RULE,
    torch_replaced.RULE,
    weights_inside.RULE,
)
CHOICES: tuple[DockerfileRule, ...] = (bytecode.RULE, wheel_leftovers.RULE, pip_peak.RULE)
"""What is no waste, and a choice: only looked for where there are prices, or by name."""
REQUIREMENT_RULES: tuple[TextRule, ...] = (torch_cuda.RULE, index_on_requirement.RULE, unpinned_torch.RULE)
WORKFLOW_RULES: tuple[TextRule, ...] = (pasted_cleanup.RULE, prune_between_builds.RULE, no_disk_check.RULE)
STACK_RULES: tuple[StackRule, ...] = (
    different_bases.RULE,
    different_versions.RULE,
    different_order.RULE,
    no_ignore_file.RULE,
    no_health_check.RULE,
    split_install.RULE,
    torch_for_inference.RULE,
)
RULES: tuple[RuleText, ...] = (*DOCKERFILE_RULES, *CHOICES, *REQUIREMENT_RULES, *STACK_RULES, *WORKFLOW_RULES)


def rules_named(name: str, rules: Sequence[RuleText] = RULES) -> frozenset[str]:
    """Return the rules that one of several linters' names means; those of other linters may mean several.

    Raises:
        UsageError: No rule has that name.
    """
    found = frozenset(rule.name for rule in rules if name.lower() in rule.names)
    if not found:
        known = "\n".join(f"  {rule.name}" for rule in rules)
        raise UsageError(f"there is no rule {name}", todo=f"Name one of these:\n{known}")
    return found
