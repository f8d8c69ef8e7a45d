"""Location of the tables shipped with this package: `results/` in a checkout, `bench/data/` in an installed wheel."""

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def shipped(name: str) -> Path:
    """Return the path of the file or folder `name`, whether or not it exists."""
    checkout = _PACKAGE.parent / "results"
    return checkout / name if checkout.is_dir() and in_checkout() else _PACKAGE / "data" / name


def in_checkout() -> bool:
    """Return whether the package runs from its own repository, whose files may be written."""
    return (_PACKAGE.parent / "pyproject.toml").is_file()
