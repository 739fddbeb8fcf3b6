"""What `params.yaml` may say, checked before any work."""
