"""Adding up: from effects of instructions to bytes of layers, builds and stacks."""
