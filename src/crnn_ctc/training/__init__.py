"""Recipes and the training loop (torch)."""
