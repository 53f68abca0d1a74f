"""Python packages: indexes, locks, wheels and the resolver that is asked."""
