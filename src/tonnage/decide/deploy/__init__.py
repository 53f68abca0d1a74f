"""What a build, a deploy or a rollback does: the plan of it."""
