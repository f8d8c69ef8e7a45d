"""Serve the site on 127.0.0.1 only, and rebuild its pages during runs."""

import contextlib
import json
import os
import signal
import sys
import threading
import time
import webbrowser
from collections.abc import Callable, Mapping
from dataclasses import replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from bench.board.live.watch import NOTHING, Watch
from bench.board.site.build import SiteOptions, render_site
from bench.board.site.files import LIVE, SiteFiles
from bench.errors import BenchError, NoResultsError, StoreError, UsageError
from bench.text import escape_unprintable

HOST = "127.0.0.1"
PORT = 8437
"""Default port, if it is free."""

EVERY = 2.0
"""Minimum seconds between two readings of the folder."""

TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".webp": "image/webp"}
TYPES |= {".js": "text/javascript; charset=utf-8", ".json": "application/json"}

HEADERS = {
    "Content-Security-Policy": LIVE,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class LiveSite:
    """The site's files in memory, by path; nothing else is served. Errors are shown on the live page, and do not end
    it."""

    def __init__(self, directory: str | Path, options: SiteOptions) -> None:
        self.directory, self.options = directory, replace(options, live=True, single_file=False, figures=False)
        self.watch, self.lock, self.ended = Watch(directory), threading.Lock(), threading.Event()
        self.files: Mapping[str, bytes] = {}
        self.version, self.built, self.took, self.looked = 0, -1, 0.0, -EVERY
        self.state = NOTHING
        self.unread = self.unbuilt = ""
        site = SiteFiles({"title": options.title, "folder": Path(directory).name, "figures_page": False}, live=True)
        site.page("live.html", "live.html")
        self.alone = site.finished()

    def look(self) -> bytes:
        """Return the data of the live page, as JSON: from the last successful reading, with errors since then."""
        with self.lock:
            if time.monotonic() - self.looked >= EVERY:
                try:
                    self.state, self.unread = self.watch.look(), ""
                except Exception as error:  # whatever it is, the page says so and looks again
                    self.unread = f"{self.directory} cannot be read, and is tried again: {_told(error)}"
                self.looked = time.monotonic()
            problems = [*filter(None, (self.unread, self.unbuilt)), *self.state["problems"]]
            return json.dumps(self.state | {"version": self.version, "problems": problems}).encode()

    def build(self) -> None:
        """Rebuild the pages if the folder has changed, or after an error."""
        self.look()
        with self.lock:
            revision = self.watch.revision
        if revision == self.built:
            return
        started = time.monotonic()
        try:
            self.files = render_site(self.directory, self.options).finished()
            self.version += 1
            self.built, self.unbuilt = revision, ""
        except NoResultsError:
            self.built, self.unbuilt = revision, ""
        except Exception as error:  # whatever it is, the page says so and building goes on
            self.unbuilt = f"the pages could not be made, and are tried again: {_told(error)}"
        self.took = time.monotonic() - started

    def keep_building(self) -> None:
        """Rebuild until `ended`, pausing three times as long as a build takes."""
        while not self.ended.is_set():
            self.build()
            self.ended.wait(max(EVERY, 3 * self.took))

    def find(self, path: str) -> bytes | None:
        """Return the content of a path; the live page replaces the leaderboard until there is one."""
        if path == "/state.json":
            return self.look()
        files = self.files
        name = path.removeprefix("/") or ("index.html" if files else "live.html")
        return files.get(name, self.alone.get(name))


def _told(error: Exception) -> str:
    """Return an error in one line, with its type if it is unexpected."""
    text = str(error) if isinstance(error, BenchError) else f"{type(error).__name__}: {error}"
    return escape_unprintable(" ".join(text.split()))


def _handler(site: LiveSite, names: Callable[[], set[str]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Answers GET and HEAD for the site's own files, only for requests to this address."""

        timeout = 10

        def do_GET(self) -> None:
            self._answer(body=True)

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def _answer(self, *, body: bool) -> None:
            if self.headers.get("Host", "").lower() not in names():  # a name of somebody else's that leads here
                self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
                return
            path = self.path.partition("?")[0]
            found = site.find(path)
            if found is None:
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", TYPES.get(Path(path).suffix, TYPES[".html"]))
            self.send_header("Content-Length", str(len(found)))
            for name, value in HEADERS.items():
                self.send_header(name, value)
            self.end_headers()
            if body:
                with contextlib.suppress(ConnectionError, TimeoutError):  # who asked has gone
                    self.wfile.write(found)

        def version_string(self) -> str:
            return "bench"

        def log_message(self, *_: Any) -> None:
            return

    return Handler


def serve(directory: str | Path, port: int | None = None, options: SiteOptions | None = None) -> None:
    """Serve the results folder `directory` until Ctrl-C, and print the address.

    port: 0 for any free one, None for the default or any free one. Raises `StoreError` if the folder does not exist,
    `UsageError` if `port` is not available.
    """
    if "://" not in str(directory) and not Path(directory).is_dir():
        raise StoreError(f"{directory}: no such folder; `bench run --out {directory}` creates it")
    site = LiveSite(directory, options or SiteOptions())
    server = listening(site, port)
    address = f"http://{HOST}:{server.server_address[1]}/"
    for sent in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sent, signal.default_int_handler)
    builder = threading.Thread(target=site.keep_building, daemon=True)
    builder.start()
    print(f"{address} shows {directory} while it grows, only on this machine; stop with Ctrl-C", flush=True)
    try:
        if sys.stdout.isatty():
            webbrowser.open(address)
        server.serve_forever()
    except KeyboardInterrupt:
        print("stopped; nothing was changed", flush=True)
    finally:
        server.server_close()
        site.ended.set()
        for sent in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sent, lambda *_: os._exit(130))  # asked again while the last pages are being made
        builder.join()  # an interpreter that ends under a thread of a library's own aborts


def listening(site: LiveSite, port: int | None) -> ThreadingHTTPServer:
    """Return a server of the site on this machine only; `port` as for `serve`."""
    names: set[str] = set()
    handler = _handler(site, lambda: names)
    for tried in (PORT, 0) if port is None else (port,):
        try:
            server = ThreadingHTTPServer((HOST, tried), handler)
        except (OSError, OverflowError) as error:
            problem = getattr(error, "strerror", None) or error
            continue
        names |= {f"{name}:{server.server_address[1]}" for name in (HOST, "localhost")}
        return server
    raise UsageError(f"--serve {port}: cannot listen there: {problem}; choose another port, or 0 for any that is free")
