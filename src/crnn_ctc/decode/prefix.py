"""Prefix search: the most probable texts of a grammar, exactly.

Graves et al. (2006), section 3.2, within a grammar: how probable a prefix is with whatever the
grammar lets follow is known from :meth:`crnn_ctc.decode.mass.GrammarMass.completions`. Prefixes are
tried best first, and the first text that comes up whole is the most probable one. Where the network
is sure of all characters but one or two, that takes little more than a prefix a character.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.decode.mass import LEAST, GrammarMass
from crnn_ctc.grammar import Grammar

Ranked = list[tuple[float, tuple[int, ...]]]
"""Texts, the best first: the probability of each and its class indices."""


@dataclass
class _Prefix:
    """One that was tried.

    Attributes:
        classes: its class indices.
        state: of the grammar's automaton.
        blank_ended: how probable the paths are that have spelt it before step t and end on a blank,
            of t from 0 to T.
        class_ended: of those that end on its last class.
        following: the classes that may come next, the most probable first.
        values: how probable each of these is, with any text of the grammar that it begins.
    """

    classes: tuple[int, ...]
    state: int
    blank_ended: list[float]
    class_ended: list[float]
    following: list[int]
    values: list[float]


def prefix_search(
    log_probs: NDArray[np.float32], grammar: Grammar, mass: GrammarMass, count: int, most: int
) -> Ranked | None:
    """The most probable texts of one picture, the best first.

    Args:
        log_probs: float32 (T, K).
        grammar: that the texts obey.
        mass: of that grammar.
        count: how many texts.
        most: prefixes that are tried before giving up.

    Returns:
        Fewer than ``count`` where the grammar has no more with a probability above 0. None where
        ``most`` prefixes were too few to be sure.
    """
    found = _search(log_probs, grammar, mass.completions(log_probs), mass.pair_of, count, most)
    if found is not None and (len(found) < count or found[-1][0] < LEAST):
        completions = mass.completions(log_probs, carefully=True)
        found = _search(log_probs, grammar, completions, mass.pair_of, count, most)
    return found


def _search(
    log_probs: NDArray[np.float32],
    grammar: Grammar,
    completions: NDArray[np.float64],
    pair_of: NDArray[np.int64],
    count: int,
    most: int,
) -> Ranked | None:
    """See :func:`prefix_search`; ``completions`` (T, J + 1) and ``pair_of`` are a mass's."""
    blank = grammar.alphabet.blank
    by_class = np.exp(log_probs.T.astype(np.float64))
    blanks = by_class[blank].tolist()

    def tried(
        classes: tuple[int, ...], state: int, blank_ended: list[float], class_ended: list[float]
    ) -> _Prefix:
        on_blank = np.array(blank_ended[:-1])
        paths = on_blank + class_ended[:-1]
        pairs = pair_of[state]
        values = (paths @ completions)[pairs]
        if classes:  # the same class again is a new character only after a blank
            again = completions[:, pairs[classes[-1]]]
            values[classes[-1]] = on_blank @ again
        following = np.argsort(-values)[: int((values > 0).sum())]
        return _Prefix(
            classes,
            state,
            blank_ended,
            class_ended,
            following.tolist(),
            values[following].tolist(),
        )

    def longer(prefix: _Prefix, c: int) -> _Prefix:
        y = by_class[c].tolist()
        from_class = 0.0 if prefix.classes and prefix.classes[-1] == c else 1.0
        on_blank, on_class = 0.0, 0.0
        blank_ended, class_ended = [0.0], [0.0]
        for t, emitted in enumerate(y):
            begins = prefix.blank_ended[t] + from_class * prefix.class_ended[t]
            on_blank = (on_blank + on_class) * blanks[t]
            on_class = (on_class + begins) * emitted
            blank_ended.append(on_blank)
            class_ended.append(on_class)
        state = int(grammar.table[prefix.state, c])
        return tried((*prefix.classes, c), state, blank_ended, class_ended)

    nothing = [1.0, *np.cumprod(by_class[blank]).tolist()]
    # a number for each keeps the heap from comparing what cannot be compared: a prefix with the
    # place of the next class to try, or a whole text, which has place -1
    waiting: list[tuple[float, int, _Prefix, int]] = []
    number = 0

    def put(value: float, prefix: _Prefix, place: int) -> None:
        nonlocal number
        number += 1
        if value > 0:
            heapq.heappush(waiting, (-value, number, prefix, place))

    def put_all(prefix: _Prefix) -> None:
        if grammar.accepting[prefix.state]:
            put(prefix.blank_ended[-1] + prefix.class_ended[-1], prefix, -1)
        if prefix.following:
            put(prefix.values[0], prefix, 0)

    put_all(tried((), 0, nothing, [0.0] * len(nothing)))
    found: Ranked = []
    while waiting and len(found) < count:
        value, _, prefix, place = heapq.heappop(waiting)
        if place < 0:
            found.append((-value, prefix.classes))
            continue
        if most == 0:
            return None
        most -= 1
        if place + 1 < len(prefix.following):
            put(prefix.values[place + 1], prefix, place + 1)
        put_all(longer(prefix, prefix.following[place]))
    return found
