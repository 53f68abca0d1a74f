"""Networks of a stack that are written otherwise than they are on the engine."""
