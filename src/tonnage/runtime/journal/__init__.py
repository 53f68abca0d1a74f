"""The journal: what runs measured and which versions were good, in SQLite."""
