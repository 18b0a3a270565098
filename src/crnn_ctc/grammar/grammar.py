"""Grammars: named automata over an alphabet that restrict decoding."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.alphabet import Alphabet
from crnn_ctc.errors import InputError

NAMES = "plates, plates:es, digits, digits:5, digits:4-6, luhn, luhn:16, any, or re:PATTERN"
"""Names of grammars, for messages and help."""


@dataclass(frozen=True, eq=False)
class Grammar:
    """Allowed texts, as a deterministic automaton of S states and E transitions.

    It starts in state 0; an accepting state is reachable from every state.

    Attributes:
        name: name, as in a card or given by a user.
        alphabet: K classes.
        starts: int64 (S + 1,): the transitions of state s are ``starts[s]`` to ``starts[s + 1]``.
        classes: int64 (E,): class of each transition, ascending within a state.
        targets: int64 (E,): state that each transition leads to.
        accepting: bool (S,): whether a text may end in the state.
        listed: whether it is a list of known texts, so that a picture may show none of them.
        rule: a user's function that tells whether a text is allowed; None for none.
    """

    name: str
    alphabet: Alphabet
    starts: NDArray[np.int64]
    classes: NDArray[np.int64]
    targets: NDArray[np.int64]
    accepting: NDArray[np.bool_]
    listed: bool = False
    rule: Callable[[str], bool] | None = None

    @classmethod
    def from_table(
        cls,
        name: str,
        alphabet: Alphabet,
        table: NDArray[np.int32],
        accepting: NDArray[np.bool_],
    ) -> Grammar:
        """Create a grammar from a table int32 (S, K): the state after each class, -1 for none."""
        sources, classes = np.nonzero(table >= 0)
        starts = np.searchsorted(sources, np.arange(len(table) + 1))
        targets = table[sources, classes].astype(np.int64)
        return cls(name, alphabet, starts, classes, targets, accepting)

    def following(self, state: int) -> NDArray[np.int64]:
        """Classes that may follow a state, ascending."""
        return self.classes[self.starts[state] : self.starts[state + 1]]

    def after(self, state: int, c: int) -> int:
        """State after class ``c``; -1 if it may not follow."""
        end = int(self.starts[state + 1])
        # np.searchsorted is several times slower for so few classes
        place = bisect_left(self.classes, c, int(self.starts[state]), end)
        return int(self.targets[place]) if place < end and self.classes[place] == c else -1

    def accepts(self, text: str) -> bool:
        """Tell whether ``text`` is allowed."""
        if not all(character in self.alphabet for character in text):
            return False
        state = 0
        for c in self.alphabet.encode(text):
            state = self.after(state, c)
            if state < 0:
                return False
        return self.ends(state, text)

    def ends(self, state: int, text: str) -> bool:
        """Tell whether ``text``, which leads to ``state``, may end there."""
        return bool(self.accepting[state]) and (self.rule is None or self.rule(text))

    def ruled(self, rule: Callable[[str], bool]) -> Grammar:
        """The same grammar without the texts for which ``rule`` returns False.

        Args:
            rule: gets a text of the grammar.
        """
        return replace(self, rule=rule)


@lru_cache(maxsize=32)
def open_grammar(name: str, alphabet: Alphabet) -> Grammar:
    """Open a grammar by its name.

    Args:
        name: ``plates``, every kind of Chinese civil plate (:mod:`crnn_ctc.plates.rules`);
            ``plates:es``, the plates of a scheme (:data:`crnn_ctc.plates.SCHEMES`);
            ``digits``, one or more; ``digits:5``, exactly five; ``digits:4-6``, four to six;
            ``luhn``, numbers with a Luhn check digit, with optional lengths like those of digits
            (:mod:`crnn_ctc.grammar.checksum`); ``any``, every text; ``re:PATTERN``, the texts of a
            pattern (:mod:`crnn_ctc.grammar.pattern`).
        alphabet: alphabet of the model.

    Raises:
        InputError: no such grammar, an invalid pattern, or the alphabet lacks its characters.
    """
    # imported only if a grammar is used
    from crnn_ctc.grammar.checksum import SHORTEST, luhn
    from crnn_ctc.grammar.pattern import compile_pattern
    from crnn_ctc.plates.schemes import SCHEMES

    lengths = re.fullmatch(r"digits:([0-9]{1,3})(?:-([0-9]{1,3}))?", name)
    checked = re.fullmatch(r"luhn(?::([0-9]{1,3})(?:-([0-9]{1,3}))?)?", name)
    if checked:
        least, most = (int(n) if n else None for n in (checked[1], checked[2] or checked[1]))
        return Grammar.from_table(name, alphabet, *luhn(alphabet, least or SHORTEST, most))
    country = re.fullmatch(r"plates(?::(\w+))?", name)
    if country and (country[1] or "cn") in SCHEMES:
        pattern = SCHEMES[country[1] or "cn"].pattern(alphabet)
    elif name == "digits":
        pattern = "[0-9]+"
    elif name == "any":
        pattern = ".*"
    elif lengths:
        if not 1 <= int(lengths[1]) <= int(lengths[2] or lengths[1]):
            raise InputError(
                f"grammar {name!r}: give 1 or more digits, the smaller number first: digits:4-6"
            )
        pattern = f"[0-9]{{{lengths[1]},{lengths[2] or lengths[1]}}}"
    elif name.startswith("re:"):
        pattern = name.removeprefix("re:")
        if not pattern:
            raise InputError(
                "grammar 're:': the pattern is empty and allows no text; write one, such as "
                "re:[0-9]{4}, or give any"
            )
    else:
        raise InputError(f"grammar {name!r} is not known; give {NAMES}")
    try:
        automaton = compile_pattern(pattern, alphabet)
    except InputError:
        if name.startswith("re:"):
            raise
        raise InputError(
            f"grammar {name!r} is not for this model, which reads {alphabet.characters[:12]}...: "
            f"give {NAMES}"
        ) from None
    return Grammar.from_table(name, alphabet, automaton.table, automaton.accepting)
