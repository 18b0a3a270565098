"""Terms of patterns and their derivatives (Brzozowski 1964); see :mod:`crnn_ctc.grammar.pattern`.

A term represents a set of texts: those that may still follow.
"""

from __future__ import annotations

from dataclasses import dataclass

_MOST_WORK = 1_000_000
"""Maximum number of parts of terms that compiling may combine: some seconds. Plates need 1,300."""


@dataclass(frozen=True)
class _One:
    """One character of these classes."""

    classes: frozenset[int]


@dataclass(frozen=True)
class _Then:
    first: int
    rest: int


@dataclass(frozen=True)
class _Either:
    parts: frozenset[int]


@dataclass(frozen=True)
class _Both:
    parts: frozenset[int]


@dataclass(frozen=True)
class _Repeat:
    of: int
    least: int
    most: int | None


_Term = _One | _Then | _Either | _Both | _Repeat

NOTHING = 0
"""The term of the empty set."""
EMPTY = 1
"""The term of only the empty text."""


class TooMuchWorkError(Exception):
    """Compiling would take minutes or hours."""


class Terms:
    """Numbered terms; equal terms share a number, so terms are compared by number.

    Attributes:
        nullable: whether each term allows the empty text.
    """

    def __init__(self) -> None:
        self._terms: list[_Term] = [_Either(frozenset()), _Both(frozenset())]
        self._numbers: dict[_Term, int] = {term: i for i, term in enumerate(self._terms)}
        self._derivatives: dict[tuple[int, int], int] = {}
        self.nullable = [False, True]
        self._work = 0

    def _number(self, term: _Term, nullable: bool) -> int:
        number = self._numbers.setdefault(term, len(self._terms))
        if number == len(self._terms):
            self._terms.append(term)
            self.nullable.append(nullable)
        return number

    def _worked(self, parts: int) -> None:
        self._work += parts
        if self._work > _MOST_WORK:
            raise TooMuchWorkError

    def one(self, classes: frozenset[int]) -> int:
        """The term of one character of ``classes``."""
        return self._number(_One(classes), False) if classes else NOTHING

    def then(self, first: int, rest: int) -> int:
        """The term of ``first`` followed by ``rest``."""
        if NOTHING in (first, rest):
            return NOTHING
        self._worked(1)
        if EMPTY in (first, rest):
            return rest if first == EMPTY else first
        term = self._terms[first]
        if isinstance(term, _Then):  # group to the right, so that equal terms have equal form
            return self.then(term.first, self.then(term.rest, rest))
        return self._number(_Then(first, rest), self.nullable[first] and self.nullable[rest])

    def either(self, parts: set[int]) -> int:
        """The term of any of ``parts``."""
        flat: set[int] = set()
        for part in parts - {NOTHING}:
            term = self._terms[part]
            flat |= term.parts if isinstance(term, _Either) else {part}
        self._worked(len(flat))
        if len(flat) < 2:
            return flat.pop() if flat else NOTHING
        return self._number(_Either(frozenset(flat)), any(self.nullable[p] for p in flat))

    def both(self, parts: set[int]) -> int:
        """The term of the texts that all of ``parts`` allow."""
        if NOTHING in parts:
            return NOTHING
        flat: set[int] = set()
        for part in parts:
            term = self._terms[part]
            # EMPTY is stored as a _Both without parts, but is none
            flat |= term.parts if isinstance(term, _Both) and part != EMPTY else {part}
        self._worked(len(flat))
        nullable = all(self.nullable[p] for p in flat)
        if EMPTY in flat:
            return EMPTY if nullable else NOTHING
        if len(flat) == 1:
            return flat.pop()
        return self._number(_Both(frozenset(flat)), nullable)

    def repeat(self, of: int, least: int, most: int | None) -> int:
        """The term of ``of`` repeated ``least`` to ``most`` times; None for no maximum."""
        if most == 0 or of == EMPTY:
            return EMPTY
        if of == NOTHING:
            return EMPTY if least == 0 else NOTHING
        if (least, most) == (1, 1):
            return of
        self._worked(1)
        return self._number(_Repeat(of, least, most), least == 0 or self.nullable[of])

    def derivative(self, number: int, c: int) -> int:
        """The derivative of a term by class ``c``."""
        known = self._derivatives.get((number, c))
        if known is None:
            known = self._derivatives[number, c] = self._derive(number, c)
        return known

    def _derive(self, number: int, c: int) -> int:
        if number == EMPTY:
            return NOTHING
        match self._terms[number]:
            case _One(classes):
                return EMPTY if c in classes else NOTHING
            case _Then(first, rest):
                after = self.then(self.derivative(first, c), rest)
                if not self.nullable[first]:
                    return after
                return self.either({after, self.derivative(rest, c)})
            case _Either(parts):
                return self.either({self.derivative(part, c) for part in parts})
            case _Both(parts):
                return self.both({self.derivative(part, c) for part in parts})
            case _Repeat(of, least, most):
                # also correct if ``of`` allows the empty text, as this includes fewer repeats
                rest = self.repeat(of, max(least - 1, 0), None if most is None else most - 1)
                return self.then(self.derivative(of, c), rest)

    def indistinct(self, classes: list[int]) -> list[list[int]]:
        """Group classes that no term so far distinguishes."""
        sets = [term.classes for term in self._terms if isinstance(term, _One)]
        groups: dict[tuple[bool, ...], list[int]] = {}
        for c in classes:
            groups.setdefault(tuple(c in s for s in sets), []).append(c)
        return list(groups.values())
