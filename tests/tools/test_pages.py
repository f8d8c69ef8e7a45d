"""Generated parts of pages."""

import pytest

from tools.pages import between


def test_lines_between_two_markers_are_replaced() -> None:
    page = "head\n<!-- a -->\nold\n<!-- end -->\ntail\n"
    assert between(page, "<!-- a -->", ["one", "two"]) == "head\n<!-- a -->\none\ntwo\n<!-- end -->\ntail\n"


@pytest.mark.parametrize("page", ["", "<!-- a --> without an end", "<!-- end --> <!-- a -->"])
def test_a_page_without_a_marker_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match="no part from"):
        between(page, "<!-- a -->", ["one"])
