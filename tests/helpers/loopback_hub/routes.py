"""Which handler answers which request."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from urllib.parse import unquote

from helpers.loopback_hub import answers
from helpers.loopback_hub.evaluations import leaderboard
from helpers.loopback_hub.jobs import HARDWARE, Jobs
from helpers.loopback_hub.store import Repo, Store, blob_id, commit_header
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

_REPO = r"(?:(?P<kind>dataset|space)s/)?(?P<repo_id>[^/]+/[^/]+?)"
_OWNER = "org"
"""The user of every token that names no other; it may do everything."""

_TOKEN = re.compile(r"Bearer hf_loopback_(?P<user>[a-z0-9-]+)")
"""A token of another user, who may write to their own repos and propose to the others."""

_LFS_ID = r"(?P<lfs_id>[0-9a-f]{64})"


def make_app(store: Store) -> Starlette:
    hub = Hub(store)
    return Starlette(routes=[Route("/{path:path}", hub.answer, methods=["GET", "HEAD", "POST", "PUT", "DELETE"])])


class Hub:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.jobs = Jobs()
        table: list[tuple[str, Callable[..., Awaitable[Response]]]] = [
            (r"/__requests", self.requests),
            (r"/__empty", self.empty),
            (r"/api/whoami-v2", self.whoami),
            (r"/api/users/(?P<name>[^/]+)/overview", self.user_overview),
            (r"/api/validate-yaml", self.validate_yaml),
            (r"/api/jobs/hardware", self.jobs_hardware),
            (r"/api/jobs/(?P<owner>[^/]+)", self.all_jobs),
            (r"/api/jobs/(?P<owner>[^/]+)/(?P<job_id>[^/]+)(?:/(?P<action>[a-z]+))?", self.one_job),
            (r"/api/repos/create", self.create_repo),
            (r"/api/repos/delete", self.delete_repo),
            (r"/api/(?P<kind>model|dataset|space)s", self.list_repos),
            (rf"/lfs/{_LFS_ID}", self.lfs_object),
            (rf"/{_REPO}\.git/info/lfs/objects/batch", self.lfs_batch),
            (rf"/{_REPO}/(?:resolve|raw)/(?P<revision>[^/]+)/(?P<path>.+)", self.download),
            (
                r"/api/(?P<kind>model|dataset|space)s/(?P<repo_id>[^/]+/[^/]+)(?:/(?P<action>[a-z-]+)(?:/(?P<rest>.*))?)?",
                self.repo_action,
            ),
        ]
        self._table = [(re.compile(pattern), handler) for pattern, handler in table]

    async def answer(self, request: Request) -> Response:
        # The undecoded path: a revision such as refs%2Fpr%2F1 is one part of it.
        path = request.scope["raw_path"].decode().split("?")[0]
        self.store.requests.append(f"{request.method} {path}")
        for pattern, handler in self._table:
            if match := pattern.fullmatch(path):
                return await handler(request, **match.groupdict())
        return answers.error("", 404, f"no route {path}")

    async def requests(self, request: Request) -> Response:
        """The requests so far: the tests' own question, no part of the Hub's protocol."""
        return JSONResponse(self.store.requests)

    async def empty(self, request: Request) -> Response:
        """Forget everything, and end all jobs: another test file begins."""
        self.jobs.end()
        self.store, self.jobs = Store(use_lfs=self.store.use_lfs), Jobs()
        return JSONResponse({})

    async def whoami(self, request: Request) -> Response:
        name = _user(request)
        role = "read" if name.startswith("reader") else "write"
        token = {"type": "access_token", "accessToken": {"displayName": "token", "role": role}}
        user = {"type": "user", "name": name, "fullname": name, "avatarUrl": "", "orgs": []}
        return JSONResponse({**user, "auth": token})

    async def user_overview(self, request: Request, name: str) -> Response:
        return JSONResponse({"user": name, "fullname": name, "avatarUrl": "", "isPro": False, "orgs": []})

    async def validate_yaml(self, request: Request) -> Response:
        return JSONResponse({"errors": [], "warnings": []})

    async def jobs_hardware(self, request: Request) -> Response:
        return JSONResponse(HARDWARE)

    async def all_jobs(self, request: Request, owner: str) -> Response:
        """A new one, or a list."""
        if owner != _user(request):
            return answers.error("", 403, "You don't have the rights to run jobs here")
        if request.method == "POST":
            url = str(request.base_url).rstrip("/")
            return JSONResponse(self.jobs.start(owner, await request.json(), url).info())
        return JSONResponse([job.info() for job in self.jobs.jobs.values() if job.owner == owner])

    async def one_job(self, request: Request, owner: str, job_id: str, action: str | None) -> Response:
        job = self.jobs.jobs.get(job_id)
        if job is None or job.owner != owner:
            return answers.error("", 404, "Job not found")
        if action == "logs":
            return StreamingResponse(job.log_events(), media_type="text/event-stream")
        if action == "cancel":
            self.jobs.cancel(job)
        return JSONResponse(job.info())

    async def create_repo(self, request: Request) -> Response:
        wanted = await request.json()
        repo_id = f"{wanted.get('organization') or 'org'}/{wanted['name']}"
        key = (wanted.get("type") or "model", repo_id)
        exists = key in self.store.repos
        if not exists:
            self.store.repos[key] = Repo(*key, sdk=wanted.get("sdk"))
        url = answers.repo_page(str(request.base_url), self.store.repos[key])
        if exists:
            return JSONResponse({"error": "You already created this repo", "url": url}, 409)
        return JSONResponse({"url": url, "name": repo_id, "id": "0"})

    async def delete_repo(self, request: Request) -> Response:
        wanted = await request.json()
        repo_id = f"{wanted.get('organization') or 'org'}/{wanted['name']}"
        self.store.repos.pop((wanted.get("type") or "model", repo_id), None)
        return JSONResponse({})

    async def list_repos(self, request: Request, kind: str) -> Response:
        search, author = request.query_params.get("search", ""), request.query_params.get("author")
        found = [
            repo
            for repo in self.store.repos.values()
            if repo.kind == kind and search in repo.id and author in (None, repo.id.split("/")[0])
        ]
        return JSONResponse([answers.repo_info(repo, repo.refs["main"]) for repo in found])

    async def lfs_object(self, request: Request, lfs_id: str) -> Response:
        if request.method == "PUT":
            self.store.lfs[lfs_id] = await request.body()
            return Response()
        return answers.file_content(request, self.store.lfs[lfs_id], {})

    async def lfs_batch(self, request: Request, kind: str | None, repo_id: str) -> Response:
        objects = []
        for wanted in (await request.json())["objects"]:
            upload = {"upload": {"href": f"{request.base_url}lfs/{wanted['oid']}", "header": {}}}
            actions = {} if wanted["oid"] in self.store.lfs else {"actions": upload}
            objects.append({**wanted, "authenticated": True, **actions})
        return JSONResponse({"transfer": "basic", "objects": objects})

    async def download(self, request: Request, kind: str | None, repo_id: str, revision: str, path: str) -> Response:
        repo = self.store.repos.get((kind or "model", unquote(repo_id)))
        if repo is None:
            return answers.error("RepoNotFound", 404, "Repository not found")
        if repo.id.endswith("-gated") and _user(request) not in (_OWNER, repo.id.split("/")[0]):
            return answers.error("GatedRepo", 403, f"Access to {repo.id} is restricted")
        commit = repo.resolve(unquote(revision))
        if commit is None:
            return answers.error("RevisionNotFound", 404, f"Invalid rev id: {unquote(revision)}")
        content = repo.commits[commit].files.get(unquote(path))
        if content is None:
            answer = answers.error("EntryNotFound", 404, "Entry not found")
            answer.headers["X-Repo-Commit"] = commit
            return answer
        return answers.file_content(request, content, {"X-Repo-Commit": commit, "ETag": f'"{blob_id(content)}"'})

    async def repo_action(
        self, request: Request, kind: str, repo_id: str, action: str | None, rest: str | None
    ) -> Response:
        repo = self.store.repos.get((kind, unquote(repo_id)))
        if repo is None:
            return answers.error("RepoNotFound", 404, "Repository not found")
        if action == "leaderboard":
            return JSONResponse(leaderboard(self.store, repo.id, request.query_params.get("task_id")))
        if action == "refs":
            return self._refs(repo)
        if action == "discussions":
            return await self._discussions(request, repo, rest or "")
        revision, _, path = (rest or "main").partition("/")
        commit = repo.resolve(unquote(revision))
        if commit is None:
            return answers.error("RevisionNotFound", 404, f"Invalid rev id: {unquote(revision)}")
        match action:
            case None | "revision":
                return JSONResponse(answers.repo_info(repo, commit))
            case "commits":
                return self._commits(repo, commit)
            case "tree":
                return self._tree(request, repo, commit, unquote(path))
            case "paths-info":
                return await self._paths_info(request, repo, commit)
            case "preupload":
                return await self._preupload(request, repo, commit)
            case "commit":
                return await self._commit(request, repo, unquote(revision), commit)
        return answers.error("", 404, f"no action {action}")

    def _refs(self, repo: Repo) -> Response:
        main = {"name": "main", "ref": "refs/heads/main", "targetCommit": repo.refs["main"]}
        pull_requests = [
            {"name": ref, "ref": ref, "targetCommit": commit}
            for ref, commit in repo.refs.items()
            if ref.startswith("refs/pr/")
        ]
        return JSONResponse({"branches": [main], "converts": [], "tags": [], "pullRequests": pull_requests})

    def _commits(self, repo: Repo, head: str) -> Response:
        return JSONResponse(
            [
                {"id": sha, "title": repo.commits[sha].message, "message": "", "date": answers.NOW, "authors": []}
                for sha in repo.history(head)
            ]
        )

    def _tree(self, request: Request, repo: Repo, commit: str, folder: str) -> Response:
        recursive = request.query_params.get("recursive", "false").lower() in ("true", "1")
        entries = answers.tree(self.store, repo.commits[commit].files, folder, recursive=recursive)
        if entries is None:
            return answers.error("EntryNotFound", 404, f"{folder} does not exist")
        return JSONResponse(entries)

    async def _paths_info(self, request: Request, repo: Repo, commit: str) -> Response:
        is_form = "form" in request.headers.get("content-type", "")
        paths = (await request.form()).getlist("paths") if is_form else (await request.json())["paths"]
        files = repo.commits[commit].files
        found = []
        for path in map(str, paths):
            if path in files:
                found.append(answers.file_entry(self.store, path, files[path]))
            elif any(file.startswith(path.rstrip("/") + "/") for file in files):
                found.append(answers.folder_entry(path.rstrip("/")))
        return JSONResponse(found)

    async def _preupload(self, request: Request, repo: Repo, commit: str) -> Response:
        files = repo.commits[commit].files
        modes = []
        for file in (await request.json())["files"]:
            path = file["path"]
            mode = "lfs" if self.store.uploads_through_lfs(path, file["size"]) else "regular"
            oid = blob_id(files[path]) if path in files else None
            modes.append({"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        return JSONResponse({"files": modes})

    async def _commit(self, request: Request, repo: Repo, ref: str, parent: str) -> Response:
        body = await request.body()
        header = commit_header(body)
        message, named = header["summary"], header.get("parentCommit")
        page = answers.repo_page(str(request.base_url), repo)
        pull_request = {}
        if request.query_params.get("create_pr") in ("1", "true"):
            parent = named or parent
            discussion = repo.open_discussion(message, is_pull_request=True, status="open", author=_user(request))
            ref = discussion.ref
            pull_request = {"pullRequestUrl": f"{page}/discussions/{discussion.number}"}
        elif not _may_write(request, repo, ref):
            return answers.error("", 403, "You don't have the rights to write here")
        elif named not in (None, parent):
            return answers.error("", 412, "A commit has happened since")
        files = self.store.changed_files(repo.commits[parent].files, body)
        commit = repo.commit(ref, files, message, parent)
        answer = {"success": True, "commitOid": commit, "commitUrl": f"{page}/commit/{commit}", "hookOutput": ""}
        return JSONResponse({**answer, **pull_request})

    async def _discussions(self, request: Request, repo: Repo, rest: str) -> Response:
        if not rest:
            if request.method == "POST":
                return await self._open_discussion(request, repo)
            author, kind = request.query_params.get("author"), request.query_params.get("type")
            found = [
                answers.discussion_info(repo, discussion)
                for discussion in repo.discussions.values()
                if author in (None, discussion.author) and (kind != "pull_request" or discussion.is_pull_request)
            ]
            return JSONResponse({"discussions": found, "count": len(found), "start": 0})
        number, _, action = rest.partition("/")
        discussion = repo.discussions.get(int(number))
        if discussion is None:
            return answers.error("", 404, "Discussion not found")
        if request.method == "GET":
            return JSONResponse(answers.discussion_details(repo, discussion))
        if action in ("merge", "status") and not _may_write(request, repo, "main"):
            return answers.error("", 403, "You don't have the rights to do this")
        if action == "merge":
            repo.merge(discussion)
            return JSONResponse({})
        if action == "status":
            discussion.status = (await request.json())["status"]
        event = {
            "id": "event", "type": "status-change", "createdAt": answers.NOW, "author": {"name": _user(request)},
            "data": {"status": discussion.status},
        }  # fmt: skip
        return JSONResponse({"newStatus": event})

    async def _open_discussion(self, request: Request, repo: Repo) -> Response:
        wanted = await request.json()
        is_pull_request = bool(wanted.get("pullRequest"))
        discussion = repo.open_discussion(
            wanted["title"],
            is_pull_request=is_pull_request,
            status="draft" if is_pull_request else "open",
            description=wanted.get("description", ""),
            author=_user(request),
        )
        if is_pull_request:
            repo.refs[discussion.ref] = repo.refs["main"]
        url = f"{answers.repo_page(str(request.base_url), repo)}/discussions/{discussion.number}"
        return JSONResponse({"num": discussion.number, "pullRequest": is_pull_request, "url": url})


def _user(request: Request) -> str:
    token = _TOKEN.fullmatch(request.headers.get("authorization", ""))
    return token["user"] if token else _OWNER


def _may_write(request: Request, repo: Repo, ref: str) -> bool:
    """To one's own repos, and to one's own pull requests anywhere."""
    user = _user(request)
    own = {discussion.ref for discussion in repo.discussions.values() if discussion.author == user}
    return user in (_OWNER, repo.id.split("/")[0]) or ref in own
