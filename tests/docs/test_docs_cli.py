"""docs/cli.md lists the commands and options that there are."""

from __future__ import annotations

import runpy

from helpers.data import ROOT
from helpers.pages import Page


def test_the_page_of_the_command_line_is_up_to_date() -> None:
    page = runpy.run_path(str(ROOT / "docs" / "cli_page.py"))["page"]
    assert Page("docs/cli.md").text == "\n".join(page()).rstrip() + "\n", (
        "python docs/cli_page.py > docs/cli.md"
    )


def test_each_command_has_a_section_and_options_their_own_names() -> None:
    page = Page("docs/cli.md")
    sections = [text for level, text in page.headings if level == 2]
    assert {"crnn-ctc predict", "crnn-ctc data synth"} < set(sections)
    options = {row[0]: row for row in page.tables[sections.index("crnn-ctc predict")][1:]}
    assert "`PATH...`" in options
    assert options["`--format`"][1:3] == ["table, text, json, csv, excel", "table"]
    assert len([name for name in options if name.startswith("`--")]) <= 11
