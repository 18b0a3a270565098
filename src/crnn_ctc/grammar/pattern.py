r"""Patterns, similar to regular expressions, compiled to deterministic automata.

Compiled by derivatives (Brzozowski 1964): the derivative of a language by a character is the set of
texts that may follow it, so a state of the automaton is "what may still follow", and intersection
costs no more than alternation. Rules such as "at most two letters in five places" need
intersection. Existing libraries do not fit: the parser of ``re`` is not public, greenery and
interegular are built for all of Unicode.

The syntax::

    京A            characters, as they stand
    .              any one character of the alphabet
    [A-HJ-N0]      one of these; a range omits characters outside the alphabet
    [^0]           any character except these
    (...)          a group
    x? x* x+       x at most once, any number of times, at least once
    x{3} x{2,} x{2,4}   x exactly 3, at least 2, 2 to 4 times
    x|y            either
    x&y            both: a text that matches x and y; binds tighter than |
    \x             the character x, if it is special

A pattern matches the whole text, so there is no ``^`` or ``$``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crnn_ctc.alphabet import Alphabet
from crnn_ctc.errors import InputError
from crnn_ctc.grammar.terms import EMPTY, NOTHING, Terms, TooMuchWorkError

MOST_STATES = 2_000
"""Maximum number of states of a pattern; decoding with more would be too slow."""
_MOST_REPEATS = 255


@dataclass(frozen=True)
class Automaton:
    """A deterministic automaton in which an accepting state is reachable from every state.

    Attributes:
        table: int32 (S, K), the state after each class; -1 if it may not follow. The blank's
            column is -1.
        accepting: bool (S,), whether a text may end in the state.
    """

    table: NDArray[np.int32]
    accepting: NDArray[np.bool_]


def compile_pattern(pattern: str, alphabet: Alphabet) -> Automaton:
    """Compile a pattern to the minimal automaton over an alphabet; it starts in state 0.

    Raises:
        InputError: the pattern is invalid, has a character that the alphabet lacks, needs more than
            ``MOST_STATES`` states or too much work, or matches no text.
    """
    try:
        small = _minimal(_automaton(pattern, alphabet))
    except (RecursionError, TooMuchWorkError):
        raise InputError(f"pattern {_short(pattern)} is too long; make it simpler") from None
    if small is None:
        raise InputError(f"pattern {_short(pattern)} allows no text at all; correct it")
    return small


def _short(pattern: str) -> str:
    return repr(pattern if len(pattern) <= 60 else f"{pattern[:57]}...")


def _automaton(pattern: str, alphabet: Alphabet) -> Automaton:
    """Build the automaton with one state per derivative, dead states included."""
    terms = Terms()
    start = _Parser(pattern, alphabet, terms).parse()
    groups = terms.indistinct([c for c in range(len(alphabet)) if c != alphabet.blank])
    numbers = {start: 0}
    rows: list[NDArray[np.int32]] = []
    for term in (waiting := [start]):
        row = np.full(len(alphabet), -1, np.int32)
        for group in groups:
            after = terms.derivative(term, group[0])
            if after == NOTHING:
                continue
            if after not in numbers:
                if len(numbers) == MOST_STATES:
                    raise InputError(
                        f"pattern {_short(pattern)} needs more than {MOST_STATES} states; "
                        "make it simpler"
                    )
                numbers[after] = len(numbers)
                waiting.append(after)
            row[group] = numbers[after]
        rows.append(row)
    return Automaton(np.array(rows), np.array([terms.nullable[term] for term in waiting]))


def _minimal(automaton: Automaton) -> Automaton | None:
    """Remove dead states and merge equal ones (Moore 1956); None if no text is allowed."""
    table, accepting = automaton.table, automaton.accepting
    alive = accepting.copy()
    while True:
        grown = alive | ((table >= 0) & alive[table]).any(axis=1)
        if (grown == alive).all():
            break
        alive = grown
    if not alive[0]:
        return None
    table = np.where((table >= 0) & alive[table], table, -1)
    group = accepting.astype(np.int64)
    count = 0
    while True:
        after = np.where(table >= 0, group[table], -1)
        _, group = np.unique(np.column_stack([group, after]), axis=0, return_inverse=True)
        group = group.reshape(-1)
        if (grown_to := int(group.max()) + 1) == count:
            break
        count = grown_to
    # number states in the order of reaching them; dead states are never reached
    order = [0]
    seen = {int(group[0])}
    for state in order:
        for target in table[state][table[state] >= 0].tolist():
            if int(group[target]) not in seen:
                seen.add(int(group[target]))
                order.append(target)
    renumbered = np.full(count + 1, -1, np.int32)  # the last one is indexed by -1
    renumbered[group[order]] = np.arange(len(order))
    rows = table[order]
    return Automaton(
        renumbered[np.where(rows >= 0, group[rows], -1)].astype(np.int32), accepting[order]
    )


class _Parser:
    """Recursive-descent parser of one pattern."""

    def __init__(self, pattern: str, alphabet: Alphabet, terms: Terms) -> None:
        self._pattern, self._alphabet, self._terms = pattern, alphabet, terms
        self._at = 0
        self._all = frozenset(range(len(alphabet))) - {alphabet.blank}

    def parse(self) -> int:
        term = self._either()
        if self._at < len(self._pattern):
            raise self._wrong("')' closes nothing")
        return term

    def _wrong(self, what: str) -> InputError:
        return InputError(f"pattern {_short(self._pattern)}: {what} (character {self._at + 1})")

    def _peek(self) -> str:
        return self._pattern[self._at : self._at + 1]

    def _take(self, expected: str | None = None) -> str:
        character = self._peek()
        if not character or (expected is not None and character != expected):
            raise self._wrong(f"{expected or 'a character'!r} is missing")
        self._at += 1
        return character

    def _either(self) -> int:
        parts = {self._both()}
        while self._peek() == "|":
            self._take()
            parts.add(self._both())
        return self._terms.either(parts)

    def _both(self) -> int:
        parts = {self._sequence()}
        while self._peek() == "&":
            self._take()
            parts.add(self._sequence())
        return self._terms.both(parts)

    def _sequence(self) -> int:
        parts: list[int] = []
        while self._peek() and self._peek() not in "|&)":
            parts.append(self._repeated())
        term = EMPTY
        for part in reversed(parts):
            term = self._terms.then(part, term)
        return term

    def _repeated(self) -> int:
        term = self._atom()
        while (sign := self._peek()) and sign in "?*+{":
            self._take()
            least, most = {"?": (0, 1), "*": (0, None), "+": (1, None)}.get(sign, (0, 0))
            if sign == "{":
                least, most = self._counts()
            term = self._terms.repeat(term, least, most)
        return term

    def _counts(self) -> tuple[int, int | None]:
        end = self._pattern.find("}", self._at)
        low, comma, high = self._pattern[self._at : max(end, self._at)].partition(",")
        counts = [low, high] if high else [low]
        if not all(n.isascii() and n.isdigit() and int(n) <= _MOST_REPEATS for n in counts):
            raise self._wrong(f"give {{m}}, {{m,}} or {{m,n}}, up to {_MOST_REPEATS}")
        least = int(low)
        most = int(high) if high else None if comma else least
        if most is not None and most < least:
            raise self._wrong(f"{{{least},{most}}}: the first is the lower")
        self._at = end + 1
        return least, most

    def _atom(self) -> int:
        match character := self._take():
            case "(":
                term = self._either()
                self._take(")")
                return term
            case "[":
                return self._terms.one(self._class())
            case ".":
                return self._terms.one(self._all)
            case "\\":
                if self._peek() in {"d", "w", "s"} and self._peek() not in self._alphabet:
                    raise self._wrong("there are no classes such as \\d; write [0-9] or [A-Z]")
                return self._terms.one(frozenset({self._index(self._take())}))
            case "?" | "*" | "+" | "{":
                self._at -= 1
                raise self._wrong(f"{character!r} repeats nothing")
            case "^" | "$":
                self._at -= 1
                raise self._wrong(f"leave {character!r} out, the whole text is meant anyway")
            case _:
                self._at -= 1
                index = self._index(character)
                self._at += 1
                return self._terms.one(frozenset({index}))

    def _index(self, character: str) -> int:
        if character not in self._alphabet:
            raise self._wrong(f"{character!r} is not in the alphabet")
        return self._alphabet.encode(character)[0]

    def _class(self) -> frozenset[int]:
        """Parse a character class in square brackets."""
        begin = self._at - 1
        without = self._peek() == "^"
        if without:
            self._take()
        classes: set[int] = set()
        while self._peek() != "]":
            first = self._member()
            if self._peek() == "-" and self._pattern[self._at + 1 : self._at + 2] != "]":
                self._take()
                last = self._member()
                if last < first:
                    raise self._wrong(f"{first}-{last}: the first is the lower")
                inside = [c for c in self._alphabet.characters if first <= c <= last]
                classes.update(self._alphabet.encode("".join(inside)))
            else:
                classes.add(self._index(first))
        self._take("]")
        chosen = self._all - classes if without else frozenset(classes)
        if not chosen:
            what = _short(self._pattern[begin : self._at])
            raise self._wrong(f"{what} has no character of the alphabet")
        return chosen

    def _member(self) -> str:
        character = self._take()
        return self._take() if character == "\\" else character
