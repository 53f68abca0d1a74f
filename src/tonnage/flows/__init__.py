"""Use cases, callable from the command line and from Python: deploy, forecast, reclaim, rehearse and the rest."""
