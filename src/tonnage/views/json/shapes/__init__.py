"""The JSON forms as types: ``docs/schemas`` is written from them. Nothing of the command loads them."""
