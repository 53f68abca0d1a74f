"""Which step when: the order with the lowest peak, the overlap with the shortest time, and what may begin now."""
