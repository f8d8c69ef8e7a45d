"""`reliability.json`: whether the robust accuracy of a cell can be believed; one record, one writer, one reader."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, cast, get_args

from bench.errors import StoreError
from bench.store import RELIABILITY, NoObjectError, Store
from model_zoo.schema import loads, parse

VerdictLevel = Literal["", "reliable", "not assessed", "doubtful", "unreliable"]
LEVELS: tuple[VerdictLevel, ...] = get_args(VerdictLevel)
"""What a robust accuracy can be, from the best to the worst; "" where nobody asked or nothing was attacked."""


@dataclass(frozen=True)
class Verdict:
    """Whether a robust accuracy can be believed, `because` of what, and how that was found.

    `eps` and `norm` are the attack's, `sample` the images that were read, `images` those that were right without
    attack, `surrogate` the model whose adversarial examples were tried; `findings` and `skipped` are the criteria of
    `bench.attacks.reliability` with and without a value. `overstatement` is by how much the number overstates (`value`,
    `low` and `high` in shares of all scored images; `images` that stand in it were looked at, `fallen` of them fell).
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
        """What it is because of, in one line."""
        return "; ".join(self.because)

    @classmethod
    def worst(cls, verdicts: Iterable["Verdict"]) -> "Verdict":
        """The worst of several conditions'."""
        return max(verdicts, key=lambda verdict: LEVELS.index(verdict.level), default=cls())


def put_verdict(store: Store, cell_id: str, verdict: Verdict) -> None:
    """Write the verdict beside the cell's records."""
    store.put(f"cells/{cell_id}/{RELIABILITY}", json.dumps(asdict(verdict), indent=1).encode())


def has_verdict(store: Store, cell_id: str) -> bool:
    """Whether the cell has a sound one: a damaged one is made again by the same command."""
    try:
        return read_verdict(store, cell_id) != Verdict()
    except StoreError:
        return False


def read_verdict(store: Store, cell_id: str) -> Verdict:
    """The cell's verdict, an empty one where it has none. Raises `StoreError` where it is damaged."""
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
