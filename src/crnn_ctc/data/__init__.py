"""Training data: read, composed, fetched."""
