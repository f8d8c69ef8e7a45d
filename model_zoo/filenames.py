"""Names of models and images as valid file names on every system."""

import re

_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$"}
    | {f"{port}{n}" for port in ("com", "lpt") for n in "123456789¹²³"}
)
"""Names that Windows takes for a device, with any suffix (learn.microsoft.com, "Naming Files")."""


def no_device(name: str) -> str:
    """Return `name`, with an underscore in front if Windows would open a device."""
    return f"_{name}" if name.partition(".")[0].rstrip(" ").lower() in _DEVICES else name


def harmless(name: str) -> str:
    """Return `name` with dashes for characters that some system does not allow in a file name: colons, slashes, `?`,
    `*`, a dot at an end; "unnamed" if nothing is left."""
    return no_device(re.sub(r"[^\w.@=+-]+", "-", name).strip("-.") or "unnamed")
