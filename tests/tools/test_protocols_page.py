"""The table of further sets in docs/protocols.md is the one that their records and suites give."""

from bench.suites.further import SUITES
from tools.protocols import PAGE, page, rows


def test_the_page_is_up_to_date() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text
    assert len(list(rows())) == len(SUITES) + 2
