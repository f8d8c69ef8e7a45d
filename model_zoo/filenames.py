"""Names of models and images as names of files that every system takes."""

import re

_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$"}
    | {f"{port}{n}" for port in ("com", "lpt") for n in "123456789¹²³"}
)
"""What Windows takes for a device, whatever follows after a dot (learn.microsoft.com, "Naming Files")."""


def no_device(name: str) -> str:
    """`name`, with an underscore before it where Windows would open a device instead."""
    return f"_{name}" if name.partition(".")[0].rstrip(" ").lower() in _DEVICES else name


def harmless(name: str) -> str:
    """`name` with dashes for what a file's name may not have on some system: colons, slashes, `?`, `*`, a dot at an
    end; "unnamed" where nothing is left."""
    return no_device(re.sub(r"[^\w.@=+-]+", "-", name).strip("-.") or "unnamed")
