"""Which wheels services share: stored once, in images that several of them stand on."""
