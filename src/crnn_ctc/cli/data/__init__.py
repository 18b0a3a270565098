"""The command ``crnn-ctc data``."""
