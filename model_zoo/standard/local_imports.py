"""Which files a user's file imports from its own folder: they are its source as much as itself. Runs nothing."""

import ast
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path


def local_imports(source: Path) -> dict[str, Path]:
    """The modules under `source`'s folder that it imports, and that these import, by name."""
    found: dict[str, Path] = {}
    waiting = [("", source)]
    while waiting:
        name, file = waiting.pop()
        package = name if file.name == "__init__.py" else name.rpartition(".")[0]
        for wanted in _imported(file, package):
            for module, place in _places(wanted, source.parent).items():
                if module not in found and place != source:
                    found[module] = place
                    waiting.append((module, place))
    return found


def source_hash(source: Path, imports: Mapping[str, Path]) -> str:
    """SHA-256 (hex) of a file, and of what it imports where it imports anything of its own folder."""
    digest = hashlib.sha256(source.read_bytes())
    for name in sorted(imports):
        digest.update(f"\n{name} ".encode() + hashlib.sha256(imports[name].read_bytes()).digest())
    return digest.hexdigest()


def _imported(file: Path, package: str) -> Iterator[str]:
    """Full names of all that the file may import, of `from a import b` both `a` and `a.b`."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, RecursionError, OSError):
        return  # to import it will say what is wrong
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*filter(None, above), *filter(None, [node.module])])
            yield base
            yield from (f"{base}.{alias.name}".lstrip(".") for alias in node.names)


def _places(name: str, folder: Path) -> dict[str, Path]:
    """The files of a dotted name and of the packages around it that lie in `folder`."""
    found: dict[str, Path] = {}
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        place = folder.joinpath(*parts[:count])
        for file in (place.with_name(f"{place.name}.py"), place / "__init__.py"):
            if all(parts[:count]) and file.is_file():
                found[".".join(parts[:count])] = file
                break
    return found
