"""Evaluation results as text for the console."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crnn_ctc.evaluation.compare import Comparison
    from crnn_ctc.evaluation.metrics import Metrics
    from crnn_ctc.evaluation.result import Result
    from crnn_ctc.evaluation.trust import Rejection, Trust

_CONFUSIONS = 10


def print_result(result: Result, ms: float) -> None:
    """Print one contender's measures.

    Args:
        result: evaluation to print.
        ms: milliseconds per picture.
    """
    collection = result.collection
    print(f"{result.card.name} on {collection.title}: {result.metrics.n} {collection.unit}")
    print(f"decoded by        {result.method}")
    _print_metrics(result.metrics)
    if result.rest is not None:
        print(f"without province  {100 * result.rest.exact_match:.2f} %")
    _print_trust(result.trust)
    if result.rejection:
        _print_rejection(result.rejection)
    if collection.fitted:  # otherwise the time includes reading files
        print(f"time              {ms:.2f} ms a picture, network and decoding, in batches")
    for name, groups in result.groups.items():
        parts = (f"{key} {100 * m.exact_match:.1f} ({m.n})" for key, m in groups.items())
        print(f"by {name:<14} " + "  ".join(parts))
    if worst := result.confusions[:_CONFUSIONS]:
        parts = (f"{t or 'nothing'} as {r or 'nothing'} {n}" for t, r, n in worst)
        print("worst confusions  " + ", ".join(parts))
    if result.failed:
        print(f"not read          {len(result.failed)}")


def print_comparison(comparison: Comparison) -> None:
    """Print two contenders side by side."""
    a, b, paired = comparison.a, comparison.b, comparison.paired
    print(f"{a.collection.title}: {paired.n} {a.collection.unit}")
    for letter, result in (("a", a), ("b", b)):
        exact, (low, high) = result.metrics.exact_match, result.metrics.interval95
        print(
            f"{letter}  {100 * exact:.2f} %  (95 %: {100 * low:.2f} to {100 * high:.2f})  "
            f"ECE {100 * result.trust.ece:.2f} %  AURC {result.trust.aurc:.5f}  {result.name}"
        )
    print(f"difference        {100 * paired.difference:+.2f} points, b less a")
    print(
        f"right             both {paired.both}, only a {paired.only_a}, only b {paired.only_b}, "
        f"neither {paired.neither}"
    )
    print(f"McNemar, exact    p = {paired.p:.4g}")
    for name, groups in comparison.groups.items():
        uneven = {key: g for key, g in groups.items() if g.only_a or g.only_b}
        if uneven:
            parts = (f"{key} {g.only_a}:{g.only_b} ({g.n})" for key, g in uneven.items())
            print(f"a:b by {name:<10} " + "  ".join(parts))
    for letter, result in (("a", a), ("b", b)):
        if result.rejection:
            print(f"{letter}, ", end="")
            _print_rejection(result.rejection)
    if a.failed:
        print(f"not read          {len(a.failed)}")


def _print_metrics(metrics: Metrics) -> None:
    low, high = (100 * bound for bound in metrics.interval95)
    print(f"exact match       {100 * metrics.exact_match:.2f} %  (95 %: {low:.2f} to {high:.2f})")
    print(f"character errors  {100 * metrics.cer:.3f} %")
    print("by position       " + "  ".join(f"{100 * p:.2f}" for p in metrics.by_position) + " %")


def _print_trust(trust: Trust) -> None:
    print(f"confidence        ECE {100 * trust.ece:.2f} %, AURC {trust.aurc:.5f}")
    for named in (*trust.by_coverage, trust.by_risk):
        if named.point is None:
            what = "no threshold does that"
        else:
            what = (
                f"from {named.point.threshold:.4f} up, {100 * named.point.coverage:.1f} % "
                f"answered, {100 * named.point.risk:.2f} % of them wrong"
            )
        print(f"{named.rule + ':':<21} {what}")


def _print_rejection(rejection: Rejection) -> None:
    parts = (f"{rule} {100 * share:.1f} %" for rule, share in rejection.accepted.items())
    print(f"without text      {rejection.n} pictures, AUROC {rejection.auroc:.5f}")
    print("accepted of them  " + ", ".join(parts))
