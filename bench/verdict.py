"""`reliability.json`: the reliability verdict of a cell; one record, one writer, one reader."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, cast, get_args

from bench.errors import StoreError
from bench.store import RELIABILITY, NoObjectError, Store
from model_zoo.schema import loads, parse

VerdictLevel = Literal["", "reliable", "not assessed", "doubtful", "unreliable"]
LEVELS: tuple[VerdictLevel, ...] = get_args(VerdictLevel)
"""Levels of a robust accuracy, from best to worst; "" if not requested or without an attack."""


@dataclass(frozen=True)
class Verdict:
    """The verdict on a robust accuracy, with its reasons (`because`) and how it was found.

    `eps` and `norm` are the attack's, `sample` the number of images read, `images` the number classified correctly
    without attack, `surrogate` the model used for transfer; `findings` and `skipped` are the criteria of
    `bench.attacks.reliability` with and without a value. `overstatement` is a lower bound of how much the number
    overstates (`value`, `low` and `high` in shares of all scored images; of the `images` surviving ones that were
    attacked, `fallen` were broken).
    """

    level: VerdictLevel = ""
    because: tuple[str, ...] = ()
    eps: str = ""
    norm: str = ""
    sample: int = 0
    images: int = 0
    surrogate: str | None = None
    findings: tuple[Mapping[str, Any], ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)
    overstatement: Mapping[str, Any] = field(default_factory=dict)

    @property
    def reasons(self) -> str:
        """The reasons, in one line."""
        return "; ".join(self.because)

    @classmethod
    def worst(cls, verdicts: Iterable["Verdict"]) -> "Verdict":
        """Return the worst verdict of several conditions."""
        return max(verdicts, key=lambda verdict: LEVELS.index(verdict.level), default=cls())


def put_verdict(store: Store, cell_id: str, verdict: Verdict) -> None:
    """Write the verdict beside the cell's records."""
    store.put(f"cells/{cell_id}/{RELIABILITY}", json.dumps(asdict(verdict), indent=1).encode())


def has_verdict(store: Store, cell_id: str) -> bool:
    """Return whether the cell has an undamaged one; the same command makes a damaged one again."""
    try:
        return read_verdict(store, cell_id) != Verdict()
    except StoreError:
        return False


def read_verdict(store: Store, cell_id: str) -> Verdict:
    """Return the cell's verdict, empty if there is none. Raises `StoreError` if it is damaged."""
    key = f"cells/{cell_id}/{RELIABILITY}"
    try:
        data = store.get(key)
    except NoObjectError:
        return Verdict()
    try:
        found = cast(Verdict, parse(Verdict, loads(data), "verdict", strict=False))
        if not (found.level and found.because):
            raise ValueError("it has no level or no reason")
    except ValueError as error:
        raise StoreError(f"{store.address}/{key}: damaged ({error}); the run's command makes it anew") from None
    return found
