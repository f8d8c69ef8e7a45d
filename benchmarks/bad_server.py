"""User's view of a server that cuts, throttles, states wrong lengths or serves HTML: the transcript of docs/parity.md.

    python benchmarks/bad_server.py

Runs `bench weights fetch` for a model whose file is on a local server, once per fault, each with an empty cache. A
silent connection counts as cut after 30 seconds; here after one.
"""

import contextlib
import hashlib
import http.server
import io
import os
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import torch

from bench.cli import main as bench
from model_zoo import fetch
from model_zoo.card import InputSpec, ModelCard, WeightFile, WeightsSpec

buffer = io.BytesIO()
torch.save({"weight": torch.rand(600, 600)}, buffer)
WEIGHTS = buffer.getvalue()
PAGE = b"<!DOCTYPE html><html><title>Google Drive - Virus scan warning</title></html>"

Answer = Callable[["Handler", int, int], None]


class Handler(http.server.BaseHTTPRequestHandler):
    """Handler that sends what `answer` says, from the client's offset."""

    protocol_version = "HTTP/1.1"
    answer: Answer
    asked = 0

    def do_GET(self) -> None:
        """Answer one attempt of the client."""
        type(self).asked += 1
        asked = self.headers.get("Range", "bytes=0-")
        self.close_connection = True
        type(self).answer(self, int(asked.removeprefix("bytes=").rstrip("-")), type(self).asked)

    def body(
        self, content: bytes, start: int = 0, *, length: int | None = None, pause: float = 0, pieces: int = 1
    ) -> None:
        """Send `content` in pieces, with a pause after each, announcing `length` (default: the true one)."""
        self.send_response(206 if start else 200)
        self.send_header("ETag", '"v1"')
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.end_headers()
        size = -(-len(content) // pieces) or 1
        with contextlib.suppress(OSError):  # the client has disconnected
            for at in range(0, len(content), size):
                self.wfile.write(content[at : at + size])
                time.sleep(pause)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def cut_once(handler: Handler, start: int, attempt: int) -> None:
    rest = WEIGHTS[start:]
    handler.body(rest[: 500_000 if attempt == 1 else None], start, length=len(rest))


FAULTS: dict[str, tuple[Answer, str]] = {
    "is in order": (lambda h, start, _: h.body(WEIGHTS[start:], start), ""),
    "cuts the connection once": (cut_once, ""),
    "cuts it each time": (
        lambda h, start, _: h.body(WEIGHTS[start : start + 9], start, length=len(WEIGHTS) - start),
        "",
    ),
    "throttles": (lambda h, start, _: h.body(WEIGHTS[start:], start, pause=0.2, pieces=10), ""),
    "falls silent": (lambda h, start, _: h.body(WEIGHTS[start : start + 9], start, length=len(WEIGHTS), pause=3), ""),
    "announces more than it has": (lambda h, start, _: h.body(WEIGHTS[start:], start, length=2 * len(WEIGHTS)), ""),
    "announces less than it has": (lambda h, start, _: h.body(WEIGHTS[start:], start, length=1000), ""),
    "serves a web page": (lambda h, _start, _: h.body(PAGE), ""),
    "has another version": (lambda h, start, _: h.body(WEIGHTS[start:], start), "0123abcd" * 8),
    "has no such file": (lambda h, _start, _: h.send_error(404), ""),
}
"""Fault -> the server's answer, and the SHA-256 on the card."""


def card(url: str, sha256: str) -> ModelCard:
    """Return the card of a checkpoint on the server."""
    spec = WeightsSpec("torch", "public", "MIT", (WeightFile("net.pth", url, sha256),))
    return ModelCard("net", "standard", "net", InputSpec(32, resize=32), spec)


def fetched(answer: Answer, sha256: str) -> str:
    """Return the output of `bench weights fetch net`, without this machine's paths and ports."""
    handler = type("Bound", (Handler,), {"answer": staticmethod(answer), "asked": 0})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url, said = f"http://127.0.0.1:{server.server_port}/net.pth", io.StringIO()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as cache, mock.patch.dict(os.environ, {"BENCH_CACHE": cache}):
        found = mock.patch("model_zoo.registry.cards", return_value={"net": card(url, sha256)})
        with found, contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = bench(["weights", "fetch", "net"])
        left = sorted(p.name for p in (Path(cache) / "weights/net").iterdir() if p.suffix != ".lock")
        text = said.getvalue().replace(cache, "CACHE").replace(url, "URL")
    server.shutdown()
    return (
        f"{text}exit code {code}, {time.perf_counter() - started:.1f} s; in the cache: {', '.join(left) or 'nothing'}"
    )


def main() -> None:
    """Print the transcript."""
    os.environ["NO_PROXY"] = "127.0.0.1"
    fetch._SILENCE = 1.0
    print(f"The file has {len(WEIGHTS)} bytes, SHA-256 {hashlib.sha256(WEIGHTS).hexdigest()[:8]}...")
    for what, (answer, sha256) in FAULTS.items():
        print(f"\n# the server {what}\n$ bench weights fetch net\n{fetched(answer, sha256)}", flush=True)


if __name__ == "__main__":
    main()
