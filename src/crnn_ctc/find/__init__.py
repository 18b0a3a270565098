"""Plates in whole photographs: where they are, and each one straightened."""
