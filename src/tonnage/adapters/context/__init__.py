"""Build contexts: which files a build reads, their bytes, and what of them its layers hold."""
