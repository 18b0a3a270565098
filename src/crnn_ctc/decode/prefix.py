"""Exact prefix search for the most probable texts (Graves et al. 2006, section 3.2).

P(prefix, then any text) bounds the probability of every text that begins with the prefix. Prefixes
are extended in the order of this bound, so the first complete text is the most probable one. A
grammar restricts the classes after a prefix; it does not change probabilities.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.decode.ctc import Alternative
from crnn_ctc.grammar import Grammar

LEAST = 0.01
"""Minimum probability of a text; the search stops below it. It bounds the time for pictures without
readable text: at most 1 / LEAST prefixes of each length are extended."""

GUESSES = 4
"""Number of prefixes that are completed to guesses if the search ends without a text."""

TRIED = 20
"""Maximum number of prefixes extended per alternative."""


@dataclass(slots=True)
class _Prefix:
    """A prefix and CTC's forward variables for it.

    Attributes:
        classes: class indices, without blanks.
        state: state of the grammar's automaton after the prefix.
        blank_ended: for t from 0 to T, the probability that steps before t spell the prefix and
            the last one is a blank.
        class_ended: the same, where the last one is the prefix's last class.
        following: classes that may come next, most probable first.
        bounds: P(prefix, class, then any text) of each class in ``following``.
    """

    classes: tuple[int, ...]
    state: int
    blank_ended: list[float]
    class_ended: list[float]
    following: list[int]
    bounds: list[float]

    @property
    def probability(self) -> float:
        """P(the prefix is the whole text)."""
        return self.blank_ended[-1] + self.class_ended[-1]


class PrefixSearch:
    """Prefix search in one picture.

    Args:
        log_probs: float32 (T, K).
        grammar: allowed texts.
    """

    def __init__(self, log_probs: NDArray[np.float32], grammar: Grammar) -> None:
        self._grammar = grammar
        self._probs = np.exp(log_probs.astype(np.float64))
        self._by_class = self._probs.T.tolist()
        self._blanks = self._by_class[grammar.alphabet.blank]

    def best(self, count: int = 1) -> list[Alternative]:
        """Find the most probable texts, best first.

        Args:
            count: number of texts.

        Returns:
            At most ``count`` texts: fewer if the grammar has no more, or if :data:`TRIED` prefixes
            per text were extended after the first one was found. Empty if no text of the grammar
            has a probability of at least :data:`LEAST`.
        """
        found: list[Alternative] = []
        # the number keeps the heap from comparing prefixes; place is an index of ``following``, or
        # -1 for a whole text
        waiting: list[tuple[float, int, _Prefix, int]] = []
        number, left = 0, TRIED * count

        def put(bound: float, prefix: _Prefix, place: int) -> None:
            nonlocal number
            number += 1
            if bound > 0:
                heapq.heappush(waiting, (-bound, number, prefix, place))

        def put_all(prefix: _Prefix) -> None:
            if self._ends(prefix):
                put(prefix.probability, prefix, -1)
            if prefix.following:
                put(prefix.bounds[0], prefix, 0)

        put_all(self._empty())
        while waiting and len(found) < count:
            if not found and -waiting[0][0] < LEAST:
                return [] if self._grammar.listed else self._guessed(waiting)[:count]
            *_, prefix, place = heapq.heappop(waiting)
            if place < 0:
                found.append(self._alternative(prefix))
                continue
            if found:
                if left == 0:
                    break
                left -= 1
            if place + 1 < len(prefix.following):
                put(prefix.bounds[place + 1], prefix, place + 1)
            put_all(self._extended(prefix, place))
        return found

    def _guessed(self, waiting: list[tuple[float, int, _Prefix, int]]) -> list[Alternative]:
        """Complete the most probable prefixes to texts, best first."""
        texts = {
            self._completed(prefix, place)
            for _, _, prefix, place in heapq.nsmallest(GUESSES, waiting)
        }
        encode = self._grammar.alphabet.encode
        probable = (text for text in texts if text.probability > 0)
        return sorted(probable, key=lambda a: (a.probability, encode(a.text)), reverse=True)

    def _completed(self, prefix: _Prefix, place: int) -> Alternative:
        """Append the most probable class until the text is complete."""
        found = Alternative("", 0.0)
        if place >= 0:
            prefix = self._extended(prefix, place)
        while True:
            if prefix.probability > found.probability and self._ends(prefix):
                found = self._alternative(prefix)
            if not prefix.following or prefix.bounds[0] <= found.probability:
                return found
            prefix = self._extended(prefix, 0)

    def _alternative(self, prefix: _Prefix) -> Alternative:
        text = self._grammar.alphabet.decode(prefix.classes)
        return Alternative(text, min(prefix.probability, 1.0))

    def _ends(self, prefix: _Prefix) -> bool:
        """Tell whether the prefix may be the whole text."""
        text = self._grammar.alphabet.decode(prefix.classes)
        return self._grammar.ends(prefix.state, text)

    def _empty(self) -> _Prefix:
        blank_ended = [1.0, *np.cumprod(self._probs[:, self._grammar.alphabet.blank]).tolist()]
        return self._followed((), 0, blank_ended, [0.0] * len(blank_ended))

    def _extended(self, prefix: _Prefix, place: int) -> _Prefix:
        """Extend the prefix by the class at ``place`` of ``following``."""
        c = prefix.following[place]
        # the same class again is a new character only after a blank
        from_class = 0.0 if prefix.classes and prefix.classes[-1] == c else 1.0
        on_blank, on_class = 0.0, 0.0
        blank_ended, class_ended = [0.0], [0.0]
        for before_blank, before_class, emitted, blank in zip(
            prefix.blank_ended, prefix.class_ended, self._by_class[c], self._blanks, strict=False
        ):
            on_blank = (on_blank + on_class) * blank
            on_class = (on_class + before_blank + from_class * before_class) * emitted
            blank_ended.append(on_blank)
            class_ended.append(on_class)
        state = self._grammar.after(prefix.state, c)
        return self._followed((*prefix.classes, c), state, blank_ended, class_ended)

    def _followed(
        self,
        classes: tuple[int, ...],
        state: int,
        blank_ended: list[float],
        class_ended: list[float],
    ) -> _Prefix:
        # all continuations sum to probability 1, so a bound ends with the class's own step
        on_blank = np.array(blank_ended[:-1])
        bounds = (on_blank + class_ended[:-1]) @ self._probs
        if classes:
            bounds[classes[-1]] = on_blank @ self._probs[:, classes[-1]]
        allowed = self._grammar.following(state)
        order = np.argsort(-bounds[allowed])
        following = allowed[order]
        return _Prefix(
            classes,
            state,
            blank_ended,
            class_ended,
            following.tolist(),
            bounds[following].tolist(),
        )
