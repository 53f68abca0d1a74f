"""Where the services of a stack run on a Swarm, by bytes.

The doors are ``placing.place(cluster, services, *, stack, failover=None) -> Placement | PlacementRefusal``,
``labels.written_placement(placement, cluster) -> WrittenPlacement``, and
``labels.forgotten(cluster, stack) -> tuple[LabelChange, ...]`` (when the stack is removed).
"""
