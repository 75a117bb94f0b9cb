"""A hub on 127.0.0.1 that speaks the few endpoints that huggingface_hub needs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class StandInHub(ThreadingHTTPServer):
    """Serves `files` (path in the repository → file on disk) as the model `repo_id`.

    With `forbidding` it serves nothing and sends everybody's credentials back in its message. With
    `offers_xet` it says that its files are also in a Xet storage, which nobody can reach.
    """

    daemon_threads = True

    def __init__(self, repo_id: str, files: dict[str, Path]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repo_id = repo_id
        self.files = files
        self.downloaded: list[str] = []
        self.authorizations: list[str] = []
        self.forbidding = False
        self.offers_xet = False

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: StandInHub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._serve_file(with_body=False)

    def do_GET(self) -> None:
        self.server.authorizations.append(self.headers.get("Authorization", ""))
        if self.server.forbidding:
            self._forbid()
            return
        path = unquote(urlsplit(self.path).path)
        repository = f"/api/models/{self.server.repo_id}"
        if path == repository:
            self._answer_json({"id": self.server.repo_id, "sha": COMMIT, "siblings": []})
        elif path == f"{repository}/tree/{COMMIT}":
            self._answer_json(
                [
                    {"type": "file", "path": name, "size": file.stat().st_size, "oid": _etag(file)}
                    for name, file in self.server.files.items()
                ]
            )
        elif path.startswith("/api/"):
            self._answer_missing("RepoNotFound")
        else:
            self._serve_file(with_body=True)

    def _serve_file(self, *, with_body: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        repository, _, location = path.strip("/").partition("/resolve/")
        _revision, _, name = location.partition("/")
        if repository != self.server.repo_id:
            self._answer_missing("RepoNotFound")
            return
        file = self.server.files.get(name)
        if file is None:
            self._answer_missing("EntryNotFound")
            return
        content = file.read_bytes()
        self.send_response(200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{_etag(file)}"')
        self.send_header("Content-Length", str(len(content)))
        if self.server.offers_xet and name.endswith(".safetensors"):
            self.send_header("X-Xet-Hash", hashlib.sha256(content).hexdigest())
            self.send_header("X-Xet-Refresh-Route", f"{self.server.endpoint}/xet-token")
        self.end_headers()
        if with_body:
            self.server.downloaded.append(name)
            self.wfile.write(content)

    def _answer_json(self, answer: object) -> None:
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _forbid(self) -> None:
        message = f"not with {self.server.authorizations[-1]}"
        content = json.dumps({"error": message}).encode()
        self.send_response(403)
        self.send_header("X-Error-Message", message)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _answer_missing(self, code: str) -> None:
        self.send_response(404)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Tests print nothing."""


def _etag(file: Path) -> str:
    return hashlib.sha1(file.read_bytes()).hexdigest()


@contextmanager
def serve(repo_id: str, files: dict[str, Path]) -> Iterator[StandInHub]:
    with StandInHub(repo_id, files) as hub:
        thread = Thread(target=hub.serve_forever)
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()
