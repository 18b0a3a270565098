"""Training data: reading, composition, downloads."""
