"""What the three vision services have in common: HTTP, images, weights, backends, boxes and counters.

Nothing here knows a model's output format; each service decodes its own.
"""
