"""What building and pulling images takes, known before it is done.

One door: :mod:`tonnage.forecast.gather.services` asks, :mod:`tonnage.forecast.costs` adds up.
"""
