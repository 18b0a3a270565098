"""Vehicles in video: one line per vehicle."""
