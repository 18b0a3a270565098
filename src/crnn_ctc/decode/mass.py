"""P(any text that a grammar allows | picture): exact, by CTC's backward variables.

The variables are those of Graves et al. (2006), section 4.1, with an automaton's states in place of
the places in one label: how probable it is that the time steps from t on complete a text of the
grammar, for paths that have led to a state and ended on a blank, or on a class. Each text has one
way through a deterministic automaton, so nothing is counted twice.

Backward, as a class leads from a state to one other: a step is seven calls on whole arrays.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.grammar import Grammar

_PICTURES = 32
"""At a time, so that the arrays of a step stay within a processor's own cache."""

_EMISSIONS = 1 << 16
"""Looked up at once, of as many steps as that makes."""

LEAST = 1e-9
"""Sums that are smaller have lost digits to the differences that they are made of."""


class GrammarMass:
    """The sums for one grammar, prepared once.

    A *pair* is a state with a class that leads to it: J of them.

    Attributes:
        pair_of: int64 (S, K): the pair that each class leads to from each state, J where it may
            not come.
    """

    def __init__(self, grammar: Grammar) -> None:
        table = grammar.table
        self._blank = grammar.alphabet.blank
        self._accepting = grammar.accepting.astype(np.float64)
        sources, classes = np.nonzero(table >= 0)
        targets = table[sources, classes]
        pairs, pair_of = np.unique(np.column_stack([targets, classes]), axis=0, return_inverse=True)
        # pairs of one state that can be come to from the same states are a run: one sum for all of
        # these states. Few runs differ.
        reached = np.zeros((len(pairs), len(table)), np.bool_)
        reached[pair_of.reshape(-1), sources] = True
        _, origin_of = np.unique(reached, axis=0, return_inverse=True)
        order = np.lexsort((pairs[:, 1], origin_of.reshape(-1), pairs[:, 0]))
        pairs, reached = pairs[order], reached[order]
        runs = np.column_stack([pairs[:, 0], origin_of.reshape(-1)[order]])
        _, self._starts = np.unique(runs, axis=0, return_index=True)
        self._origins = np.ascontiguousarray(reached[self._starts].T, np.float64)
        number = np.empty(len(pairs), np.int64)
        number[order] = np.arange(len(pairs))
        self.pair_of = np.full(table.shape, len(pairs), np.int64)
        self.pair_of[sources, classes] = number[pair_of.reshape(-1)]
        # rows of a step's array: the pairs, a row of zeros, the states
        self._classes = np.concatenate([pairs[:, 1], np.full(1 + len(table), self._blank)])
        self._pairs = pairs
        self._states = pairs[:, 0]
        # what a pair turns into: its state after a blank; and the class once more is no new one
        self._after = np.stack([len(pairs) + 1 + self._states, self.pair_of[tuple(pairs.T)]])

    def __call__(self, log_probs: NDArray[np.float32]) -> NDArray[np.float64]:
        """The probability that the text is one of the grammar's.

        Args:
            log_probs: float32 (N, T, K).

        Returns:
            float64 (N,), from 0 to 1.
        """
        parts = range(0, len(log_probs), _PICTURES)
        mass = [self._backward(log_probs[at : at + _PICTURES], None) for at in parts]
        masses = np.concatenate([np.zeros(0), *mass])
        for place in np.flatnonzero(masses < LEAST).tolist():
            masses[place], _ = self._carefully(log_probs[place])
        return masses

    def completions(
        self, log_probs: NDArray[np.float32], carefully: bool = False
    ) -> NDArray[np.float64]:
        """How probable it is that a pair's class comes at a step, and then the rest of a text.

        Args:
            log_probs: float32 (T, K), of one picture.
            carefully: all digits of what is below ``LEAST`` too, in several times as long.

        Returns:
            float64 (T, J + 1), with a last column of zeros: at [t, j], y[t, c] times what steps
            t + 1 on add up to, from the pair's state, having ended on c.
        """
        if carefully:
            return self._carefully(log_probs)[1]
        kept = np.zeros((len(log_probs), len(self._states) + 1))
        self._backward(log_probs[None], kept)
        return kept

    def _carefully(self, log_probs: NDArray[np.float32]) -> tuple[float, NDArray[np.float64]]:
        """The mass of one picture and its completions, by sums alone."""
        emitted = np.exp(log_probs.astype(np.float64))
        pairs, states = self._accepting[self._states], self._accepting
        kept = np.zeros((len(log_probs), len(pairs) + 1))
        for t in range(len(log_probs) - 1, -1, -1):
            begun = kept[t]
            begun[:-1] = pairs * emitted[t, self._pairs[:, 1]]
            ways = begun[self.pair_of]  # (S, K)
            # of the classes before each, and of those behind: it is no new character after itself
            others = np.zeros_like(ways)
            others[:, 1:] = np.cumsum(ways, axis=1)[:, :-1]
            others[:, :-1] += np.cumsum(ways[:, ::-1], axis=1)[:, -2::-1]
            states = states * emitted[t, self._blank]
            pairs = states[self._states] + begun[:-1] + others[tuple(self._pairs.T)]
            states = states + ways.sum(axis=1)
        return min(float(states[0]), 1.0), kept

    def _backward(
        self, log_probs: NDArray[np.float32], kept: NDArray[np.float64] | None
    ) -> NDArray[np.float64]:
        n, steps, _ = log_probs.shape
        count, rows = len(self._states), len(self._classes)
        # pictures last, so that looking up a row copies a run of numbers; for one, no such axis:
        # numpy takes less time for it
        few = (n,) if n > 1 else ()
        emitted = np.exp(log_probs.astype(np.float64)).transpose(1, 2, 0)
        emitted = np.ascontiguousarray(emitted).reshape(steps, -1, *few)
        values = np.zeros((rows, *few))
        pairs, states = values[:count], values[count + 1 :]
        pairs.T[:] = self._accepting[self._states]
        states.T[:] = self._accepting
        sums = np.empty((len(self._starts), *few))
        begun = np.empty(states.shape)
        after = np.empty((2, count, *few))
        block = max(1, _EMISSIONS // values.size)
        for end in range(steps, 0, -block):
            start = max(end - block, 0)
            # mode clip: with raise, take would write to a buffer first
            looked_up = np.take(emitted[start:end], self._classes, axis=1, mode="clip")
            for t in range(end - 1, start - 1, -1):
                np.multiply(values, looked_up[t - start], out=values)
                if kept is not None:
                    kept[t, :count] = pairs
                np.add.reduceat(pairs, self._starts, axis=0, out=sums)
                np.dot(self._origins, sums, out=begun)
                np.add(states, begun, out=states)
                np.take(values, self._after, axis=0, out=after, mode="clip")
                np.add(pairs, after[0], out=pairs)
                np.subtract(pairs, after[1], out=pairs)
        return np.asarray(np.clip(np.atleast_1d(states[0]), 0.0, 1.0))
