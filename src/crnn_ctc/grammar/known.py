"""Grammar of a list of known texts: the minimal acyclic automaton that accepts exactly these."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from crnn_ctc.alphabet import Alphabet
from crnn_ctc.errors import InputError
from crnn_ctc.grammar.grammar import Grammar

MOST_KNOWN = 1_000_000
"""Maximum length of a list: building the automaton then takes about 15 s."""

_MOST_BYTES = 256 * MOST_KNOWN


def known_texts(
    source: str | Path | Iterable[str], alphabet: Alphabet, plates: str | None = None
) -> Grammar:
    """Build the grammar of a list of known texts.

    Args:
        source: UTF-8 file with one text per line, or the texts themselves. Case, the dot of a
            plate, empty lines and repeated texts are ignored.
        alphabet: alphabet of the model.
        plates: plate scheme named in the model's card, if any.

    Raises:
        InputError: the file cannot be read, a text has a character that the alphabet lacks, there
            is no text, or there are more than :data:`MOST_KNOWN`.
    """
    from crnn_ctc.plates.schemes import normaliser

    if isinstance(source, str | Path):
        name, lines = str(source), _lines(Path(source))
    else:
        name, lines = "known texts", source
    normalise = normaliser(alphabet, plates)
    words: set[tuple[int, ...]] = set()
    for number, line in enumerate(islice(lines, MOST_KNOWN + 1), 1):
        if number > MOST_KNOWN:
            raise InputError(f"{name}: more than {MOST_KNOWN:,} lines; give a shorter list")
        text = normalise(line.strip())
        unknown = next((c for c in text if c not in alphabet), None)
        if unknown is not None:
            raise InputError(
                f"{name}: line {number}: the model cannot read {unknown!r} in {text[:20]!r}; "
                "correct or remove it"
            )
        if text:
            words.add(tuple(alphabet.encode(text)))
    if not words:
        raise InputError(f"{name}: holds no text; write one a line")
    return minimal_automaton("known", alphabet, sorted(words))


def _lines(path: Path) -> Iterable[str]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(f"{path}: more than {MOST_KNOWN:,} lines; give a shorter list")
        with path.open(encoding="utf-8-sig") as file:
            yield from file
    except UnicodeDecodeError:
        raise InputError(f"{path}: not UTF-8; save it as UTF-8, one text a line") from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give a text file") from None


def minimal_automaton(name: str, alphabet: Alphabet, words: Sequence[tuple[int, ...]]) -> Grammar:
    """Build the minimal acyclic automaton of sorted words (Daciuk et al. 2000, algorithm 1).

    Words are added in order. States of the last word that the next one does not share are complete:
    each is replaced by an equal state if there is one.

    Args:
        name: name of the grammar.
        alphabet: K classes.
        words: class indices, sorted, unique, at least one.
    """
    # complete states, by acceptance and ordered transitions (class, state)
    register: dict[tuple[bool, tuple[tuple[int, int], ...]], int] = {}
    accepting = [False]  # for the states along the last word
    transitions: list[list[tuple[int, int]]] = [[]]

    def complete(word: tuple[int, ...], depth: int) -> None:
        """Complete the states of ``word`` below ``depth``."""
        for place in range(len(word), depth, -1):
            key = (accepting.pop(), tuple(transitions.pop()))
            state = register.setdefault(key, len(register))
            transitions[-1].append((word[place - 1], state))

    last: tuple[int, ...] = ()
    for word in words:
        depth = 0
        while depth < len(last) and depth < len(word) and last[depth] == word[depth]:
            depth += 1
        complete(last, depth)
        accepting += [False] * (len(word) - depth)
        transitions += [[] for _ in range(len(word) - depth)]
        accepting[-1] = True
        last = word
    complete(last, 0)
    states = [*register, (accepting[0], tuple(transitions[0]))]
    # the start state was completed last and must become state 0
    states.reverse()
    lengths = [len(following) for _, following in states]
    flat = np.array([pair for _, following in states for pair in following], np.int64)
    return Grammar(
        name,
        alphabet,
        starts=np.concatenate([[0], np.cumsum(lengths)]),
        classes=flat[:, 0],
        targets=len(states) - 1 - flat[:, 1],
        accepting=np.array([accepts for accepts, _ in states]),
        listed=True,
    )
