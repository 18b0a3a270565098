"""HTML pages from templates. Names and labels are escaped, as they may contain anything."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from crnn_ctc import __version__
from crnn_ctc.evaluation.compare import Comparison
from crnn_ctc.evaluation.report.chart import reliability_chart, risk_chart
from crnn_ctc.evaluation.report.entry import entry, entry_of_two
from crnn_ctc.evaluation.report.tables import confusion_matrix, group_table
from crnn_ctc.evaluation.result import Result
from crnn_ctc.plates import scheme_of

GALLERY = 60
"""Maximum number of pictures shown."""

_NEGATIVES = 12


def result_page(result: Result, gallery: int = GALLERY) -> str:
    """Render the report of one contender as an HTML document.

    Args:
        result: evaluation to show.
        gallery: maximum number of pictures with errors.
    """
    show = _show(result)
    wrong = sorted((read for read in result.reads if not read.right), key=lambda r: -r.confidence)
    negatives = result.rejection.most_confident[:_NEGATIVES] if result.rejection else ()
    return _render(
        "result.html",
        show,
        r=result,
        charts=(reliability_chart([result]), risk_chart([result])),
        matrix=confusion_matrix(result),
        tables={name: group_table(groups) for name, groups in result.groups.items()},
        wrong=len(wrong),
        gallery=[entry(read, show) for read in wrong[:gallery]],
        negatives=[entry(read, show, truth=False) for read in negatives],
    )


def comparison_page(comparison: Comparison, gallery: int = GALLERY) -> str:
    """Render a comparison as an HTML document; arguments as :func:`result_page`."""
    a, b = comparison.a, comparison.b
    show = _show(a)
    differing = comparison.differing
    return _render(
        "comparison.html",
        show,
        c=comparison,
        results=(a, b),
        charts=(reliability_chart([a, b]), risk_chart([a, b])),
        differing=len(differing),
        gallery=[entry_of_two(pair, (a.name, b.name), show) for pair in differing[:gallery]],
    )


def _show(result: Result) -> Callable[[str], str]:
    scheme = scheme_of(result.card.alphabet, result.card.plates)
    return scheme.display if scheme else str


def _render(template: str, show: Callable[[str], str], **values: Any) -> str:
    environment = Environment(
        loader=PackageLoader("crnn_ctc.evaluation.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=_percent, display=show)
    made = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    return environment.get_template(template).render(version=__version__, made=made, **values)


def _percent(share: float, digits: int = 2) -> str:
    return f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%"
