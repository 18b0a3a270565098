"""Decoder: the way in which a model's output is read, chosen once."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.alphabet import Alphabet
from crnn_ctc.decode.align import align
from crnn_ctc.decode.beam import beam_search
from crnn_ctc.decode.ctc import (
    Alternative,
    Decoded,
    Span,
    greedy,
    greedy_texts,
    label_probabilities,
)
from crnn_ctc.decode.mass import GrammarMass
from crnn_ctc.decode.prefix import Ranked, prefix_search
from crnn_ctc.errors import InputError
from crnn_ctc.grammar import NAMES, Grammar, open_grammar
from crnn_ctc.model_file.card import Card

Method = Literal["greedy", "beam", "grammar"]

NO_GRAMMAR = "none"
"""The name that stands for any text, whatever the card says."""

WIDTH = 16
"""Prefixes that a search keeps. On 439 real plates 4 find the same texts as 128."""
CLASSES = 20
"""Classes that may follow a prefix at one time step; all of them where these lead nowhere."""
TRIED = 160
"""Prefixes that an exact search tries before a beam takes over. The 10 of 439 real plates that are
searched need no more than 128; the best four texts of 60 others, no more than 32."""


class Decoder:
    """Reads log-probabilities: by the best path, by beam search, or by search in a grammar.

    Only pictures that need it are searched. A text that has more than half of the probability that
    the grammar's texts have together (of 1, without a grammar) is the most probable one, whatever
    the others are; so where the best path spells such a text, that is the answer, and exactly so.
    In a grammar the rest goes through prefix search, exact too, and only what that gives up on
    through beam search.

    Args:
        alphabet: of K classes.
        grammar: what a text may be; None for any.
        search: look for the most probable text, not only for that of the best path. A grammar
            searches anyway.
        temperature: divides the log-probabilities, which are then normalised again.
        alternatives: how many other texts to give. Asking for them searches every picture.
        width: B, prefixes that a search keeps.
    """

    def __init__(
        self,
        alphabet: Alphabet,
        grammar: Grammar | None = None,
        *,
        search: bool = False,
        temperature: float = 1.0,
        alternatives: int = 0,
        width: int = WIDTH,
    ) -> None:
        self.grammar = grammar
        self._alphabet = alphabet
        self._mass = GrammarMass(grammar) if grammar is not None else None
        self._always = search or grammar is not None
        self._temperature = temperature
        self._alternatives = alternatives
        self._width = width

    def giving(self, alternatives: int) -> Decoder:
        """The same decoder with another number of alternatives; nothing is prepared anew."""
        other = copy(self)
        other._alternatives = alternatives
        return other

    @property
    def _searches(self) -> bool:
        return self._always or self._alternatives > 0

    @property
    def method(self) -> str:
        """What it does, in a word or two."""
        if self.grammar is not None:
            return f"grammar {self.grammar.name}"
        return "beam" if self._searches else "greedy"

    def texts(self, log_probs: NDArray[np.float32]) -> list[str]:
        """The texts alone: float32 (N, T, K) to N."""
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
            float64 (M,), from 0 to 1. What a grammar forbids is not left out.
        """
        labels = [self._alphabet.encode(text) for text in texts]
        rows = np.broadcast_to(
            tempered(log_probs, self._temperature), (len(labels), *log_probs.shape)
        )
        return label_probabilities(rows, labels, self._alphabet.blank)

    def spans(self, log_probs: NDArray[np.float32], text: str) -> tuple[Span, ...]:
        """Where each character of a given text stands in one picture: float32 (T, K) to S spans."""
        rows = tempered(log_probs, self._temperature)
        return align(rows, self._alphabet.encode(text), self._alphabet.blank)

    def __call__(self, log_probs: NDArray[np.float32]) -> list[Decoded]:
        """Texts with their confidences and the place of each character.

        Args:
            log_probs: float32 (N, T, K).

        Returns:
            N readings. Where no text of the grammar fits into T steps, an empty one whose
            confidence is 0.
        """
        if self._temperature != 1:
            log_probs = tempered(log_probs, self._temperature)
        decoded = greedy(log_probs, self._alphabet)
        if not self._searches or not decoded:
            return decoded
        masses = np.ones(len(decoded)) if self._mass is None else self._mass(log_probs)
        unsure = []
        for place, (found, mass) in enumerate(zip(decoded, masses.tolist(), strict=True)):
            allowed = self.grammar is None or self.grammar.accepts(found.text)
            if allowed and found.confidence > mass / 2 and not self._alternatives:
                share = _share(found.confidence, mass)
                decoded[place] = replace(found, confidence=share, mass=mass)
            else:
                unsure.append(place)
        if unsure:
            searched = self._search(log_probs[unsure], [decoded[p] for p in unsure], masses[unsure])
            for place, found in zip(unsure, searched, strict=True):
                decoded[place] = found
        return decoded

    def _search(
        self,
        log_probs: NDArray[np.float32],
        best_paths: Sequence[Decoded],
        masses: NDArray[np.float64],
    ) -> list[Decoded]:
        """The most probable texts of pictures, with their exact probabilities."""
        ranked = [self._exactly(rows) for rows in log_probs]
        if unsure := [place for place, texts in enumerate(ranked) if texts is None]:
            beams = self._by_beam(log_probs[unsure], [best_paths[place] for place in unsure])
            for place, texts in zip(unsure, beams, strict=True):
                ranked[place] = texts
        return [
            self._decoded(row, texts or [], best, mass)
            for row, texts, best, mass in zip(
                log_probs, ranked, best_paths, masses.tolist(), strict=True
            )
        ]

    def _exactly(self, log_probs: NDArray[np.float32]) -> Ranked | None:
        """The texts of one picture (T, K); None where that takes too long."""
        if self.grammar is None or self._mass is None:
            return None
        count = self._alternatives + 1
        return prefix_search(log_probs, self.grammar, self._mass, count, max(TRIED, 10 * count))

    def _by_beam(
        self, log_probs: NDArray[np.float32], best_paths: Sequence[Decoded]
    ) -> list[Ranked]:
        found = self._labels(log_probs, CLASSES)
        if lost := [place for place, labels in enumerate(found) if not labels]:
            for place, labels in zip(lost, self._labels(log_probs[lost], None), strict=True):
                found[place] = labels
        # the best path's text is known: the search may have dropped it
        for labels, best in zip(found, best_paths, strict=True):
            label = tuple(self._alphabet.encode(best.text))
            if label not in labels and (self.grammar is None or self.grammar.accepts(best.text)):
                labels.append(label)
        owners = [place for place, labels in enumerate(found) for _ in labels]
        flat = [label for labels in found for label in labels]
        probabilities = label_probabilities(log_probs[owners], flat, self._alphabet.blank).tolist()
        ranked: list[Ranked] = [[] for _ in found]
        for owner, label, probability in zip(owners, flat, probabilities, strict=True):
            ranked[owner].append((probability, label))
        return [sorted(texts, key=lambda t: -t[0]) for texts in ranked]

    def _labels(
        self, log_probs: NDArray[np.float32], classes: int | None
    ) -> list[list[tuple[int, ...]]]:
        # a few more than are asked for: the beam's own order is not exact
        count = self._alternatives + 4
        width = max(self._width, self._alternatives + 1)
        searched = beam_search(log_probs, self._alphabet.blank, width, self.grammar, classes)
        return [[candidate.classes for candidate in row[:count]] for row in searched]

    def _decoded(
        self,
        log_probs: NDArray[np.float32],
        ranked: Ranked,
        best: Decoded,
        mass: float,
    ) -> Decoded:
        if not ranked:
            return Decoded("", 0.0, (), mass=mass)
        texts = [
            Alternative(self._alphabet.decode(label), _share(probability, mass))
            for probability, label in ranked[: self._alternatives + 1]
        ]
        spans = best.spans
        if texts[0].text != best.text:
            spans = align(log_probs, ranked[0][1], self._alphabet.blank)
        return Decoded(texts[0].text, texts[0].probability, spans, tuple(texts[1:]), mass)


def _share(probability: float, mass: float) -> float:
    """Of the mass; at most 1, which a rounding may exceed."""
    return min(probability / mass, 1.0) if mass > 0 else 0.0


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


def decoder_for(
    card: Card,
    method: Method | None = None,
    grammar: str | None = None,
    alternatives: int = 0,
) -> Decoder:
    """The decoder of a model.

    Args:
        card: of the model: its alphabet, grammar and temperature.
        method: None for ``grammar`` where there is one, else ``greedy``.
        grammar: its name (:func:`crnn_ctc.grammar.open_grammar`), or ``none``; None for the card's.
        alternatives: see :class:`Decoder`.

    Raises:
        InputError: no such grammar, or the method is ``grammar`` and there is none.
    """
    name = card.grammar if grammar is None else grammar
    if name == NO_GRAMMAR:
        name = None
    if method == "grammar" and name is None:
        raise InputError(f"{card.name}: its card names no grammar; give --grammar: {NAMES}")
    opened = open_grammar(name, card.alphabet) if name and method in (None, "grammar") else None
    return Decoder(
        card.alphabet,
        opened,
        search=method == "beam",
        temperature=card.temperature,
        alternatives=alternatives,
    )
