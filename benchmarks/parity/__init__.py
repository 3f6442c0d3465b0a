"""Our parts beside their authors' code, on the same random weights and inputs."""
