"""Where the tables that ship with this package lie: `results/` of a checkout, `bench/data/` of an installed wheel."""

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def shipped(name: str) -> Path:
    """The file or folder called `name`, whether or not it is there."""
    checkout = _PACKAGE.parent / "results"
    return checkout / name if checkout.is_dir() and in_checkout() else _PACKAGE / "data" / name


def in_checkout() -> bool:
    """Whether this package is used from its own repository, whose files may be written."""
    return (_PACKAGE.parent / "pyproject.toml").is_file()
