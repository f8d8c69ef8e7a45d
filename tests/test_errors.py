"""Errors of other libraries in our messages."""

import pytest

from bench.engine.session import usable_device
from bench.errors import UsageError, first_line


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("one\ntwo"), "one"),
        (ValueError("\n  \n two "), "two"),
        (AssertionError(), "AssertionError"),
        (RuntimeError(" "), "RuntimeError"),
    ],
)
def test_the_first_line_of_an_error_is_its_class_if_it_has_no_message(error: BaseException, line: str) -> None:
    assert first_line(error) == line


def test_a_device_that_fails_without_a_message_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr("torch.zeros", fail)
    with pytest.raises(UsageError, match=r"--device cpu: cannot be used \(AssertionError\)"):
        usable_device("cpu")
