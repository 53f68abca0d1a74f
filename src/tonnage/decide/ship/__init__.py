"""Which layers another engine lacks, and what sending them takes. Pure."""
