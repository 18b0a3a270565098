"""README.zh-CN.md says what README.md says: the same sections, code and figures."""

from __future__ import annotations

import re
from collections import Counter

from helpers.pages import Page

ENGLISH, CHINESE = Page("README.md"), Page("README.zh-CN.md")
#: Not those within a name, such as float32.
NUMBER = re.compile(r"(?<![A-Za-z_\d.,])\d[\d,]*(?:\.\d+)*")
#: "November 2026" is a number more in Chinese.
MONTH = re.compile(r"(?<=年) ?\d+ ?(?=月)")


def numbers(text: str) -> list[str]:
    """The numbers of a text, in order of size: languages differ in word order."""
    return sorted(number.rstrip(",") for number in NUMBER.findall(MONTH.sub("", text)))


def sections(page: Page) -> list[str]:
    """What stands below each heading, without code and tables."""
    text = re.sub(r"^(```|~~~).*?^\1$", "", page.text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^\|.*$", "", text, flags=re.MULTILINE)
    return re.split(r"^#+ .*$", text, flags=re.MULTILINE)


def code(page: Page) -> list[str]:
    """The blocks of code without comments."""
    return [re.sub(r" *#.*$", "", block.code, flags=re.MULTILINE) for block in page.blocks]


def test_sections_are_the_same() -> None:
    assert [level for level, _ in CHINESE.headings] == [level for level, _ in ENGLISH.headings]


def test_code_is_the_same() -> None:
    assert code(CHINESE) == code(ENGLISH)
    assert [block.not_run for block in CHINESE.blocks] == [
        block.not_run for block in ENGLISH.blocks
    ]


def test_figures_of_the_tables_are_the_same() -> None:
    ours, theirs = (
        [[[numbers(cell) for cell in row] for row in table] for table in page.tables]
        for page in (CHINESE, ENGLISH)
    )
    for table, other in zip(ours, theirs, strict=True):
        for row, other_row in zip(table, other, strict=True):
            assert row == other_row


def test_figures_of_the_text_are_the_same() -> None:
    for (_, heading), ours, theirs in zip(
        [(0, "the top"), *ENGLISH.headings], sections(CHINESE), sections(ENGLISH), strict=True
    ):
        assert Counter(numbers(ours)) == Counter(numbers(theirs)), f"below {heading!r}"


def test_links_are_the_same() -> None:
    def outward(page: Page) -> Counter[str]:
        return Counter(link for _, link in page.links if not link.startswith(("#", "README")))

    assert outward(CHINESE) == outward(ENGLISH)


def test_numbers_are_found() -> None:
    assert numbers("8,680 张，98.2（97.2 至 98.9）") == ["8,680", "97.2", "98.2", "98.9"]
    assert numbers("2026 年 11 月，bf16") == ["2026"]
