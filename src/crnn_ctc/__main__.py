"""`python -m crnn_ctc` is `crnn-ctc`, for launchers that start a module."""

from crnn_ctc.cli.main import run

run()
