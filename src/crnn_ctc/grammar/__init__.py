"""Grammars: the texts that a model may read."""

from crnn_ctc.grammar.grammar import NAMES, Grammar, open_grammar
from crnn_ctc.grammar.known import known_texts

__all__ = ["NAMES", "Grammar", "known_texts", "open_grammar"]
