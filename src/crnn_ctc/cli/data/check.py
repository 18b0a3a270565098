"""crnn-ctc data check: find errors in labelled pictures before training."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from crnn_ctc.cli.data.labels import LABELS, AlphabetOption, named_alphabet, print_tally


def check(
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="DIR|CSV...", help="Folders of TEXT_n.jpg, or CSV or TSV files."),
    ],
    alphabet: AlphabetOption = LABELS,
    steps: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="T",
            help="Time steps of the network, to report labels that are too long for it.",
        ),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="File for all findings, as JSON.")
    ] = None,
) -> None:
    """Check labelled pictures for errors and for what harms training.

    Each finding is one line with its file and line number. The exit code is 2 if there are errors,
    and 0 if there are only warnings.
    """
    from crnn_ctc.cli.output import write_json
    from crnn_ctc.cli.progress import track
    from crnn_ctc.data.lint import WARNINGS, Finding, Linter
    from crnn_ctc.errors import InputError

    linter = Linter(named_alphabet(alphabet), steps)
    findings: list[Finding] = []
    failed: list[str] = []
    for source in sources:
        try:
            for found in track(linter.check(source), f"checking {source.name}"):
                for finding in found:
                    print(finding)
                    findings.append(finding)
        except InputError as error:  # continue with the other sources
            failed.append(str(error))
            print(f"error: {error}", file=sys.stderr)
    for finding in linter.rare():
        print(finding)
        findings.append(finding)
    print_tally(linter.tally)
    kinds = Counter(f.kind for f in findings)
    warnings = sum(n for kind, n in kinds.items() if kind in WARNINGS)
    errors = len(findings) - warnings + len(failed)
    for kind, count in sorted(kinds.items(), key=lambda pair: (pair[0] in WARNINGS, pair[0])):
        print(f"{count:>8,}  {'warning' if kind in WARNINGS else 'error':<8} {kind}")
    print(f"{linter.pictures:,} pictures: {errors:,} errors, {warnings:,} warnings")
    if json_file:
        values = {
            "pictures": linter.pictures,
            "errors": errors,
            "warnings": warnings,
            "by_kind": dict(sorted(kinds.items())),
            "unreadable_sources": failed,
            "findings": [
                {"file": f.listed, "line": f.line or None, "severity": f.severity, "kind": f.kind,
                 "message": f.message}
                for f in findings
            ],
        }  # fmt: skip
        write_json(json_file, values)
    if errors:
        raise typer.Exit(2)
