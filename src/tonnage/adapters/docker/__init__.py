"""Docker: the engine's API for facts and small acts, its command line for builds, Compose for services."""
