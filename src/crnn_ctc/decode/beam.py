"""Prefix beam search: the most probable texts, each summed over its alignments.

Graves (2012), "Sequence Transduction with Recurrent Neural Networks", section 2.6, in the form for
CTC of Hannun et al. (2014), "First-Pass Large Vocabulary Continuous Speech Recognition using
Bi-Directional Recurrent DNNs"; no language model, but a grammar if there is one. Vectorised over
pictures and prefixes: a time step costs the same few calls for one picture as for sixty-four.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.grammar import Grammar


@dataclass(frozen=True, slots=True)
class Candidate:
    """A text that the search has found.

    Attributes:
        classes: its class indices, no blanks.
        probability: P(text | picture), of the alignments that stayed within the beam: all of them
            where it was wide enough, else less than the text's own.
    """

    classes: tuple[int, ...]
    probability: float


def beam_search(
    log_probs: NDArray[np.float32],
    blank: int,
    width: int,
    grammar: Grammar | None = None,
    classes: int | None = None,
) -> list[list[Candidate]]:
    """The most probable texts of each picture, the best first.

    With no more prefixes alive than ``width`` holds, and ``classes`` None, the probabilities are
    exact and nothing is missing. With a grammar, prefixes are ranked by what they have times what
    the picture leaves them to come, so that the search does not end among prefixes that are
    probable and cannot be completed.

    Args:
        log_probs: float32 (N, T, K).
        blank: index of the blank.
        width: B, prefixes kept a time step.
        grammar: texts that it does not accept are not found, prefixes that cannot become one are
            not kept; None for any text.
        classes: C, how many classes may go on a prefix at a time step, the most probable ones; None
            for all.

    Returns:
        N lists of at most ``width`` texts with a probability above 0.
    """
    n, steps, k = log_probs.shape
    probs = np.exp(log_probs.astype(np.float64))
    prefixes = _Prefixes.start(n, width, blank)
    to_come = _to_come(probs, blank, grammar) if grammar is not None else None
    characters = [c for c in range(k) if c != blank]
    log_scale = np.zeros(n)
    from_slot = np.zeros((steps, n, width), np.int32)
    added = np.full((steps, n, width), -1, np.int32)
    for t in range(steps):
        y = probs[:, t]
        if classes is None or classes >= len(characters):
            chosen = np.broadcast_to(np.array(characters, np.int64), (n, len(characters)))
        else:
            visible = y.copy()
            visible[:, blank] = -1.0
            chosen = np.argpartition(visible, k - classes, axis=1)[:, k - classes :]
        prefixes, from_slot[t], added[t] = prefixes.grown(
            y, blank, chosen, grammar, None if to_come is None else to_come[t + 1]
        )
        scale = prefixes.total.max(axis=1)
        scale[scale == 0] = 1.0
        prefixes.blank_ended /= scale[:, None]
        prefixes.class_ended /= scale[:, None]
        log_scale += np.log(scale)

    weights = prefixes.total
    if grammar is not None:
        weights = np.where(grammar.accepting[prefixes.state], weights, 0.0)
    return [
        [
            Candidate(
                _text(from_slot[:, row], added[:, row], slot),
                float(np.exp(np.log(weights[row, slot]) + log_scale[row])),
            )
            for slot in np.argsort(-weights[row], kind="stable").tolist()
            if weights[row, slot] > 0
        ]
        for row in range(n)
    ]


def _to_come(probs: NDArray[np.float64], blank: int, grammar: Grammar) -> NDArray[np.float64]:
    """How well a picture can complete a text from each state: (T + 1, N, S), the largest of each 1.

    An estimate for ranking, never 0 where a text can still be completed. It does not know the last
    class, so each state may wait a step on the blank or on whatever class is the step's best.
    """
    n, steps, k = probs.shape
    sources, classes = np.nonzero(grammar.table >= 0)
    moves, move_of = np.unique(
        np.column_stack([sources, grammar.table[sources, classes]]), axis=0, return_inverse=True
    )
    members = np.zeros((k, len(moves)))
    members[classes, move_of.reshape(-1)] = 1
    leaving, starts = np.unique(moves[:, 0], return_index=True)
    ahead = np.zeros((steps + 1, n, len(grammar.table)))
    ahead[steps] = grammar.accepting
    waits = probs[:, :, blank] + np.delete(probs, blank, axis=2).max(axis=2)
    for t in range(steps - 1, -1, -1):
        ahead[t] = ahead[t + 1] * waits[:, t, None]
        if len(moves):
            by_move = (probs[:, t] @ members) * ahead[t + 1][:, moves[:, 1]]
            ahead[t][:, leaving] += np.add.reduceat(by_move, starts, axis=1)
        scale = ahead[t].max(axis=1, keepdims=True)
        ahead[t] /= np.where(scale > 0, scale, 1.0)
    return ahead


def _text(from_slot: NDArray[np.int32], added: NDArray[np.int32], slot: int) -> tuple[int, ...]:
    """Back through the steps (T, B) from the ``slot`` at their end."""
    text: list[int] = []
    for t in range(len(added) - 1, -1, -1):
        if (c := int(added[t, slot])) >= 0:
            text.append(c)
        slot = int(from_slot[t, slot])
    return tuple(reversed(text))


@dataclass
class _Prefixes:
    """The prefixes alive: arrays (N, B); a slot that is free has probability 0.

    Attributes:
        blank_ended: float64, of the alignments so far that end on a blank.
        class_ended: float64, of those that end on the prefix's last class.
        last: int64, its last class; the blank where it is empty.
        state: int64, of the grammar's automaton.
        name: uint64, the same for the same text.
        parent: uint64, the name of the prefix that is one class shorter.
    """

    blank_ended: NDArray[np.float64]
    class_ended: NDArray[np.float64]
    last: NDArray[np.int64]
    state: NDArray[np.int64]
    name: NDArray[np.uint64]
    parent: NDArray[np.uint64]

    @property
    def total(self) -> NDArray[np.float64]:
        return self.blank_ended + self.class_ended

    @classmethod
    def start(cls, n: int, width: int, blank: int) -> _Prefixes:
        """The empty prefix alone."""
        blank_ended = np.zeros((n, width))
        blank_ended[:, 0] = 1.0
        return cls(
            blank_ended,
            np.zeros((n, width)),
            np.full((n, width), blank, np.int64),
            np.zeros((n, width), np.int64),
            np.ones((n, width), np.uint64),
            np.zeros((n, width), np.uint64),  # no prefix has this name
        )

    def grown(
        self,
        y: NDArray[np.float64],
        blank: int,
        chosen: NDArray[np.int64],
        grammar: Grammar | None,
        to_come: NDArray[np.float64] | None,
    ) -> tuple[_Prefixes, NDArray[np.int64], NDArray[np.int64]]:
        """One time step on: the best prefixes, the slots that they come from, what was added.

        Args:
            y: float64 (N, K), the probabilities of the step.
            blank: index of the blank.
            chosen: int64 (N, C), the classes that may be added.
            grammar: see :func:`beam_search`.
            to_come: float64 (N, S), see :func:`_to_come`, after this step.
        """
        n, width = self.last.shape
        rows = np.arange(n)[:, None]
        total = self.total

        # a prefix stays what it is by a blank, or by its last class once more
        stay_blank = total * y[:, blank, None]
        y_last = np.take_along_axis(y, self.last, axis=1)
        stay_class = self.class_ended * y_last

        # or it gets a class more; after itself only where a blank came between
        same = chosen[:, None, :] == self.last[:, :, None]
        weight = np.where(same, self.blank_ended[:, :, None], total[:, :, None])
        more = weight * np.take_along_axis(y, chosen, axis=1)[:, None, :]
        after = np.zeros(more.shape, np.int64)
        if grammar is not None:
            after = grammar.table[self.state[:, :, None], chosen[:, None, :]].astype(np.int64)
            more[after < 0] = 0.0
            after = np.maximum(after, 0)

        # which may be a prefix that is alive already: the two are one
        alive = total > 0
        is_parent = (self.name[:, :, None] == self.parent[:, None, :]) & alive[:, :, None]
        is_parent &= alive[:, None, :]
        row, slot = np.nonzero(is_parent.any(axis=1))
        above = is_parent.argmax(axis=1)[row, slot]
        doubled = self.last[row, above] == self.last[row, slot]
        came = np.where(doubled, self.blank_ended[row, above], total[row, above])
        stay_class[row, slot] += came * y_last[row, slot]
        column = np.full(y.shape, -1, np.int64)
        column[rows, chosen] = np.arange(chosen.shape[1])
        at = column[row, self.last[row, slot]]
        known = at >= 0
        more[row[known], above[known], at[known]] = 0.0

        # the best of both sorts
        c = chosen.shape[1]
        scores = np.concatenate([stay_blank + stay_class, more.reshape(n, width * c)], axis=1)
        ranks = scores
        if to_come is not None:
            ahead = [to_come[rows, self.state], to_come[rows, after.reshape(n, width * c)]]
            ranks = scores * np.concatenate(ahead, axis=1)
        best = np.argpartition(ranks, ranks.shape[1] - width, axis=1)[:, -width:]
        stays = best < width
        extension = np.where(stays, 0, best - width)
        source = np.where(stays, best, extension // c)
        new = chosen[rows, extension % c]
        name = self.name[rows, source]
        # texts as numbers with as many digits as there are classes: no two alike while 64 bits hold
        # them, and by chance in 2^64 after that
        base = np.uint64(y.shape[1] + 1 | 1)
        return (
            _Prefixes(
                np.where(stays, stay_blank[rows, source], 0.0),
                np.where(stays, stay_class[rows, source], scores[rows, best]),
                np.where(stays, self.last[rows, source], new),
                np.where(stays, self.state[rows, source], after.reshape(n, -1)[rows, extension]),
                np.where(stays, name, name * base + new.astype(np.uint64)),
                np.where(stays, self.parent[rows, source], name),
            ),
            source,
            np.where(stays, -1, new),
        )
