"""A small hub: the part of the Hugging Face Hub's HTTP interface that pushing and loading use."""

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hf_writer"


class Repository:
    """Commits of a repository, and the branches that point to them."""

    def __init__(self, private: bool) -> None:
        self.private = private
        self.branches = {"main": "0" * 40}
        self.commits: dict[str, dict[str, bytes]] = {"0" * 40: {}}

    def commit_of(self, revision: str) -> str | None:
        commit = self.branches.get(revision, revision)
        return commit if commit in self.commits else None

    def add(self, branch: str, files: dict[str, bytes]) -> str:
        parent = self.branches[branch]
        content = {**self.commits[parent], **files}
        parts = [parent, *(f"{n} {hashlib.sha1(d).hexdigest()}" for n, d in content.items())]
        commit = hashlib.sha1("\n".join(parts).encode()).hexdigest()
        self.commits[commit] = content
        self.branches[branch] = commit
        return commit


class Hub:
    """The server. `repositories` is what it has; `requests` are the paths it was asked for."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.requests: list[str] = []
        hub = self

        class Handler(_Handler):
            def __init__(self, *args: Any) -> None:
                self.hub = hub
                super().__init__(*args)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def log_message(self, *_: Any) -> None:
        """Print nothing."""

    def do_POST(self) -> None:
        path = self._path()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b"".join(self._chunks())
        if path == "/api/validate-yaml":
            return self._answer({"errors": [], "warnings": []})
        if not self._is_writer():
            return self._fail(401, "Unauthorized", "Invalid username or password.")
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        _, _, _, owner, name, action, revision = path.split("/", 6)
        repository = self.hub.repositories.get(f"{owner}/{name}")
        if repository is None:
            return self._fail(404, "RepoNotFound", "Repository not found")
        if unquote(revision) not in repository.branches:
            return self._fail(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        if action == "preupload":
            files = json.loads(body)["files"]
            plain = {"uploadMode": "regular", "shouldIgnore": False}
            return self._answer({"files": [{"path": f["path"], **plain} for f in files]})
        lines = [json.loads(line) for line in body.splitlines()]
        added = {
            line["value"]["path"]: base64.b64decode(line["value"]["content"])
            for line in lines
            if line["key"] == "file"
        }
        commit = repository.add(unquote(revision), added)
        url = f"{self.hub.address}/{owner}/{name}/commit/{commit}"
        return self._answer({"commitUrl": url, "commitOid": commit})

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self._path()
        if path.startswith("/api/models/"):
            return self._describe(path.removeprefix("/api/models/"))
        if path.startswith("/api/"):  # such as questions about the client's surroundings
            return self._fail(404, "", "Not found")
        _, owner, name, _, revision, file = path.split("/", 5)
        repository = self.hub.repositories.get(f"{owner}/{name}")
        if repository is None or (repository.private and not self._is_writer()):
            return self._fail(404, "RepoNotFound", "Repository not found")
        commit = repository.commit_of(unquote(revision))
        if commit is None:
            return self._fail(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        content = repository.commits[commit].get(file)
        if content is None:
            return self._fail(404, "EntryNotFound", "Entry not found", commit)
        self.send_response(200)
        self.send_header("X-Repo-Commit", commit)
        self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)
        return None

    def _create(self, wanted: dict[str, Any]) -> None:
        repo_id = f"{wanted['organization']}/{wanted['name']}"
        if repo_id in self.hub.repositories:
            message = "You already created this model repo"
            return self._answer({"error": message, "url": f"{self.hub.address}/{repo_id}"}, 409)
        private = wanted.get("visibility") == "private" or wanted.get("private", False)
        self.hub.repositories[repo_id] = Repository(private)
        return self._answer({"url": f"{self.hub.address}/{repo_id}"})

    def _describe(self, repo_id: str) -> None:
        repository = self.hub.repositories.get(repo_id)
        if repository is None or (repository.private and not self._is_writer()):
            return self._fail(404, "RepoNotFound", "Repository not found")
        return self._answer({"id": repo_id, "sha": repository.branches["main"], "tags": []})

    def _path(self) -> str:
        path = urlsplit(self.path).path
        self.hub.requests.append(path)
        return path

    def _is_writer(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def _chunks(self) -> Any:
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _answer(self, value: Any, status: int = 200) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _fail(self, status: int, code: str, message: str, commit: str = "") -> None:
        body = b"" if self.command == "HEAD" else json.dumps({"error": message}).encode()
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
            self.send_header("X-Error-Message", message)
        if commit:
            self.send_header("X-Repo-Commit", commit)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
