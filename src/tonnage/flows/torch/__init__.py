"""Giving services the build of PyTorch that suits where they run."""
