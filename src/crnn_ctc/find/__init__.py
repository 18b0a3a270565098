"""Plate detection in whole photographs."""
