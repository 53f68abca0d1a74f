"""The only place that makes adapters."""
