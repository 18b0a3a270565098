"""Read a short line of text from a picture, in milliseconds, on an ordinary CPU."""

__version__ = "0.1.0"
