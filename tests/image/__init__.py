"""The image in a real engine, and the manifests as far as podman plays them: `make image-test`."""
