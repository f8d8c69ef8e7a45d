"""Files that a user's file imports from its own folder; they belong to its source. No code is run."""

import ast
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path


def local_imports(source: Path) -> dict[str, Path]:
    """Return the modules in the folder of `source` that it imports, directly or indirectly, by name."""
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
    """Return the SHA-256 (hex) of a file, including its local imports if it has any."""
    digest = hashlib.sha256(source.read_bytes())
    for name in sorted(imports):
        digest.update(f"\n{name} ".encode() + hashlib.sha256(imports[name].read_bytes()).digest())
    return digest.hexdigest()


def _imported(file: Path, package: str) -> Iterator[str]:
    """Yield full names of modules that the file may import; for `from a import b`, both `a` and `a.b`."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, RecursionError, OSError):
        return  # importing it will report the error
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*filter(None, above), *filter(None, [node.module])])
            yield base
            yield from (f"{base}.{alias.name}".lstrip(".") for alias in node.names)


def _places(name: str, folder: Path) -> dict[str, Path]:
    """Return the files in `folder` of a dotted name and of its parent packages."""
    found: dict[str, Path] = {}
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        place = folder.joinpath(*parts[:count])
        for file in (place.with_name(f"{place.name}.py"), place / "__init__.py"):
            if all(parts[:count]) and file.is_file():
                found[".".join(parts[:count])] = file
                break
    return found
