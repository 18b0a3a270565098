"""Synthetic pictures: text, plate face, light, camera (numpy, OpenCV)."""
