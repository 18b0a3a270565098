"""Measuring speed: timing, printed test pictures, the machine."""
