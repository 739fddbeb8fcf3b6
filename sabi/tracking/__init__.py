"""What MLflow records."""
