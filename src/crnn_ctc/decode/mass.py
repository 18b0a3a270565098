"""P(any text that a grammar allows | picture): exact, by CTC's forward variables.

The variables are those of Graves et al. (2006), section 4.1, with an automaton's states in place of
the places in one label: how probable the paths up to a time step are that have led to a state and
end on a blank, or on a class. Each text has one way through a deterministic automaton, so nothing
is counted twice.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.grammar import Grammar

_FEW = 4
"""Pictures."""


class GrammarMass:
    """The sums for one grammar, prepared once.

    A *pair* is a state with a class that leads to it: J of them. Arrays have the pictures last, so
    that looking up a row copies a run of numbers.
    """

    def __init__(self, grammar: Grammar) -> None:
        table = grammar.table
        self._blank = grammar.alphabet.blank
        self._accepting = grammar.accepting
        sources, classes = np.nonzero(table >= 0)
        targets = table[sources, classes]
        pairs, pair_of = np.unique(np.column_stack([targets, classes]), axis=0, return_inverse=True)
        pair_of = pair_of.reshape(-1)
        self._classes = pairs[:, 1]
        # pairs are sorted by state: a state's are a run. State 0 may have none.
        states, self._starts = np.unique(pairs[:, 0], return_index=True)
        run = np.arange(states[0], states[-1] + 1) if len(states) else states
        # looked up as a run of rows where they are one
        self._states: slice | NDArray[np.int64] = states
        if len(states) and np.array_equal(run, states):
            self._states = slice(int(states[0]), int(states[-1]) + 1)
        # where a pair can be come from, as rows of a matrix over states; few rows differ
        reached = np.zeros((len(pairs), len(table)), np.float64)
        reached[pair_of, sources] = 1
        self._origins, origin_of = np.unique(reached, axis=0, return_inverse=True)
        self._origin_of = origin_of.reshape(-1)
        # a class that follows itself without a blank is no new character: pair (p, c) does not
        # lead to pair (q, c)
        number = {(int(q), int(c)): j for j, (q, c) in enumerate(pairs)}
        before = np.array(
            [number.get((int(p), int(c)), -1) for p, c in zip(sources, classes, strict=True)]
        )
        order = np.argsort(pair_of, kind="stable")
        order = order[before[order] >= 0]
        # the first such (p, c) of each pair, then the second of those that have two, and so on:
        # np.add.reduceat over runs as short as these takes several times as long
        _, first = np.unique(pair_of[order], return_index=True)
        rank = np.arange(len(order)) - np.repeat(first, np.diff([*first.tolist(), len(order)]))
        self._repeats = [
            (pair_of[order[rank == r]], before[order[rank == r]])
            for r in range(int(rank.max(initial=-1)) + 1)
        ]
        # the same for few pictures, where calls cost more than numbers: all at once, and a row of
        # zeros after the last pair for those that have none
        self._padded = np.full((len(self._repeats), len(pairs)), len(pairs), np.int64)
        for row, (place, repeated) in zip(self._padded, self._repeats, strict=True):
            row[place] = repeated

    def __call__(self, log_probs: NDArray[np.float32]) -> NDArray[np.float64]:
        """The probability that the text is one of the grammar's.

        Args:
            log_probs: float32 (N, T, K).

        Returns:
            float64 (N,), from 0 to 1.
        """
        n, steps, _ = log_probs.shape
        emitted = np.exp(log_probs.transpose(1, 2, 0).astype(np.float64))  # (T, K, N)
        total = np.zeros((len(self._accepting), n))
        total[0] = 1.0
        padded = np.zeros((len(self._classes) + 1, n))
        ends = padded[:-1]
        few = n <= _FEW
        grown, emission = np.empty_like(ends), np.empty_like(ends)
        for t in range(steps):
            # mode clip: with raise, take would write to a buffer first
            np.take(self._origins @ total, self._origin_of, axis=0, out=grown, mode="clip")
            if few:
                for again in np.take(padded, self._padded, axis=0, mode="clip"):
                    grown -= again
            else:
                for pairs, repeated in self._repeats:
                    grown[pairs] -= ends[repeated]
            np.add(ends, grown, out=ends)
            np.take(emitted[t], self._classes, axis=0, out=emission, mode="clip")
            ends *= emission
            total *= emitted[t, self._blank]
            total[self._states] += np.add.reduceat(ends, self._starts, axis=0)
        mass = total[self._accepting].sum(axis=0)
        return np.asarray(np.clip(mass, 0.0, 1.0))
