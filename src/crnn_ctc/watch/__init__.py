"""Vehicles in video: frames in, one line a vehicle out."""
