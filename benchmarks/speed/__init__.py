"""Our work and the peer's, side by side in one run."""
