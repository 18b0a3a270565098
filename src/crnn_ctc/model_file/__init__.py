"""Model files: the card in their metadata, the check before opening, the runtime."""
