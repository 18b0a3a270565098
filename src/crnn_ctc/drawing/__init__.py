"""Readings drawn over their pictures, and the bundled typefaces."""
