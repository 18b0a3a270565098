"""Grammars: the texts that a model may read."""

from crnn_ctc.grammar.grammar import NAMES, Grammar, open_grammar

__all__ = ["NAMES", "Grammar", "open_grammar"]
