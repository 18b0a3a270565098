"""Decoders: from a model's log-probabilities to texts with confidences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.alphabet import Alphabet
from crnn_ctc.decode.align import align
from crnn_ctc.decode.ctc import Decoded, Span, greedy, greedy_texts, label_probabilities
from crnn_ctc.decode.prefix import LEAST, PrefixSearch
from crnn_ctc.errors import InputError
from crnn_ctc.grammar import NAMES, Grammar, open_grammar
from crnn_ctc.model_file.card import Card

NO_GRAMMAR = "none"
"""Name for no grammar, overriding the card."""


class TextDecoder(Protocol):
    """Protocol of decoders; see :data:`DECODERS`."""

    grammar: Grammar | None
    """Allowed texts; None for any."""

    @property
    def method(self) -> str:
        """Short description for the user."""

    def with_alternatives(self, alternatives: int) -> TextDecoder:
        """The same decoder with another number of alternatives."""

    def texts(self, log_probs: NDArray[np.float32]) -> list[str]:
        """Texts without confidences: float32 (N, T, K) to N."""

    def probabilities(
        self, log_probs: NDArray[np.float32], texts: Sequence[str]
    ) -> NDArray[np.float64]:
        """P(text | picture) of M given texts: float32 (T, K) to float64 (M,)."""

    def spans(self, log_probs: NDArray[np.float32], text: str) -> tuple[Span, ...]:
        """Spans of the S characters of a text: float32 (T, K) to S spans."""

    def __call__(self, log_probs: NDArray[np.float32]) -> list[Decoded]:
        """Texts, confidences and character spans: float32 (N, T, K) to N."""


class Decoder:
    """Decodes by the best path, or searches for the most probable text.

    If the best path spells an allowed text with more than half of the probability, that text is the
    most probable one and the answer. Otherwise the picture is searched
    (:class:`crnn_ctc.decode.prefix.PrefixSearch`). The answer is exact if the most probable allowed
    text has at least 1 %; otherwise the search stops, and the answer is a guess with a confidence
    below 1 %, or none for a list of known texts.

    Args:
        alphabet: K classes.
        grammar: allowed texts; None for any. It does not change probabilities.
        search: search for the most probable text; implied by a grammar or alternatives.
        temperature: divides the log-probabilities, which are then normalised again.
        alternatives: number of other texts; if above 0, every picture is searched.
    """

    def __init__(
        self,
        alphabet: Alphabet,
        grammar: Grammar | None = None,
        *,
        search: bool = False,
        temperature: float = 1.0,
        alternatives: int = 0,
    ) -> None:
        self.grammar = grammar
        self._alphabet = alphabet
        self._always = search or grammar is not None
        self._temperature = temperature
        self._alternatives = alternatives

    def with_alternatives(self, alternatives: int) -> Decoder:
        """The same decoder with another number of alternatives."""
        other = copy(self)
        other._alternatives = alternatives
        return other

    @property
    def _searches(self) -> bool:
        return self._always or self._alternatives > 0

    @property
    def method(self) -> str:
        """Short description for the user."""
        if self.grammar is not None:
            return f"grammar {self.grammar.name}"
        return "search" if self._searches else "greedy"

    def texts(self, log_probs: NDArray[np.float32]) -> list[str]:
        """Texts without confidences: float32 (N, T, K) to N."""
        if not self._searches:
            return greedy_texts(log_probs, self._alphabet)
        return [decoded.text for decoded in self(log_probs)]

    def probabilities(
        self, log_probs: NDArray[np.float32], texts: Sequence[str]
    ) -> NDArray[np.float64]:
        """P(text | picture) of M given texts in one picture, exact.

        Args:
            log_probs: float32 (T, K).
            texts: M, spelt with the alphabet.

        Returns:
            float64 (M,), from 0 to 1.
        """
        labels = [self._alphabet.encode(text) for text in texts]
        rows = np.broadcast_to(
            tempered(log_probs, self._temperature), (len(labels), *log_probs.shape)
        )
        return label_probabilities(rows, labels, self._alphabet.blank)

    def spans(self, log_probs: NDArray[np.float32], text: str) -> tuple[Span, ...]:
        """Spans of the characters of a given text in one picture: float32 (T, K) to S spans."""
        rows = tempered(log_probs, self._temperature)
        return align(rows, self._alphabet.encode(text), self._alphabet.blank)

    def __call__(self, log_probs: NDArray[np.float32]) -> list[Decoded]:
        """Texts with confidences and character spans.

        Args:
            log_probs: float32 (N, T, K).

        Returns:
            N texts; an empty one if no text of the grammar fits into T steps.
        """
        if self._temperature != 1:
            log_probs = tempered(log_probs, self._temperature)
        decoded = greedy(log_probs, self._alphabet)
        if not self._searches:
            return decoded
        return [
            best if self._certain(best) else self._searched(rows, best)
            for rows, best in zip(log_probs, decoded, strict=True)
        ]

    def _certain(self, best: Decoded) -> bool:
        """Tell whether the best path's text needs no search."""
        if self._alternatives or best.confidence <= 0.5:
            return False
        return self.grammar is None or self.grammar.accepts(best.text)

    def _searched(self, log_probs: NDArray[np.float32], best: Decoded) -> Decoded:
        """Search for the most probable texts of one picture (T, K) with the best path ``best``."""
        grammar = self.grammar or open_grammar("any", self._alphabet)
        if grammar.listed and best.confidence > 1 - LEAST and not grammar.accepts(best.text):
            return Decoded("", 0.0, ())  # no listed text can reach LEAST
        ranked = PrefixSearch(log_probs, grammar).best(self._alternatives + 1)
        if not ranked:
            return Decoded("", 0.0, ())
        first, *others = ranked
        spans = best.spans
        if first.text != best.text:
            spans = align(log_probs, self._alphabet.encode(first.text), self._alphabet.blank)
        confidence = first.probability if first.text else 0.0
        return Decoded(first.text, confidence, spans, tuple(others))


def tempered(log_probs: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Log-probabilities (..., K) divided by ``temperature`` and normalised again (Guo et al. 2017).

    Raises:
        InputError: the temperature is not above 0.
    """
    if not temperature > 0:
        raise InputError(f"temperature {temperature}: give one above 0")
    scaled = log_probs / np.float32(temperature)
    scaled -= scaled.max(axis=-1, keepdims=True)
    scaled -= np.log(np.exp(scaled).sum(axis=-1, keepdims=True))
    return np.asarray(scaled, np.float32)


def _greedy(card: Card, grammar: Grammar | None, alternatives: int) -> TextDecoder:
    return Decoder(card.alphabet, grammar, temperature=card.temperature, alternatives=alternatives)


def _search(card: Card, grammar: Grammar | None, alternatives: int) -> TextDecoder:
    return Decoder(
        card.alphabet,
        grammar,
        search=True,
        temperature=card.temperature,
        alternatives=alternatives,
    )


DECODERS: dict[str, Callable[[Card, Grammar | None, int], TextDecoder]] = {
    "greedy": _greedy,
    "search": _search,
    "grammar": _search,
}
"""Factories of decoders by name; arguments are card, allowed texts and number of alternatives.

``greedy`` answers the text of the best path, ``search`` the most probable text, ``grammar`` the
most probable text that the grammar allows."""

UNRESTRICTED = frozenset({"greedy", "search"})
"""Decoders that ignore a grammar; a user's rule applies to them too."""


def decoder_for(
    card: Card,
    method: str | None = None,
    grammar: str | Grammar | None = None,
    alternatives: int = 0,
    rule: Callable[[str], bool] | None = None,
) -> TextDecoder:
    """Create the decoder of a model.

    Args:
        card: card of the model, with its alphabet, grammar and temperature.
        method: a name of :data:`DECODERS`; None for ``grammar`` if there is one, else ``greedy``.
        grammar: a grammar or its name (:func:`crnn_ctc.grammar.open_grammar`), or ``none``; None
            for that of the card.
        alternatives: see :class:`Decoder`.
        rule: see :meth:`crnn_ctc.grammar.Grammar.ruled`; it needs no grammar.

    Raises:
        InputError: no such decoder or grammar, or the method is ``grammar`` and there is none.
    """
    if method is not None and method not in DECODERS:
        raise InputError(f"decoder {method!r} is not known; give one of: {', '.join(DECODERS)}")
    chosen = card.grammar if grammar is None else grammar
    if chosen == NO_GRAMMAR:
        chosen = None
    if method == "grammar" and chosen is None:
        raise InputError(f"{card.name}: its card names no grammar; give --grammar: {NAMES}")
    if method in UNRESTRICTED:
        chosen = None
    opened = open_grammar(chosen, card.alphabet) if isinstance(chosen, str) else chosen
    if rule is not None:
        opened = (opened or open_grammar("any", card.alphabet)).ruled(rule)
    usual = "greedy" if opened is None else "grammar"
    return DECODERS[method or usual](card, opened, alternatives)
