"""The pages of the data itself: coverage, cells, charts, findings, tasks, bundles; read by a process of its own, or from tiles."""

from __future__ import annotations

import gzip
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from fulltape.browse.questions import (
    BarsQuestion,
    BrowseRefusal,
    BundlesAnswer,
    BundlesQuestion,
    CellAnswer,
    CellQuestion,
    FindingsAnswer,
    FindingsQuestion,
    Question,
    Reply,
    TasksAnswer,
    TasksQuestion,
)
from fulltape.bundle import layout
from fulltape.heatmap import tiles
from fulltape.heatmap.tiles import HeatmapIndex, HeatmapSummary
from fulltape.ledger.task_state import STATES
from fulltape.settings.load import Loaded
from fulltape.web import bundle_files
from fulltape.web.browsing import BrowseProcess
from fulltape.web.pages import Pages, json_response

_FOREVER = "private, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"
_ALONE = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"


class DataPages:
    """The handlers, over what `browse` answers and the tiles that lie in the node's folder."""

    def __init__(self, loaded: Loaded, pages: Pages, browse: BrowseProcess) -> None:
        self._loaded, self._pages, self._browse = loaded, pages, browse
        self._folder = loaded.folder

    @property
    def routes(self) -> list[Route]:
        """Where each stands."""
        api = "/api/v1"
        return [
            Route("/coverage", self.coverage),
            Route("/cell", self.cell),
            Route("/data", self.data),
            Route("/quality", self.findings),
            Route("/tasks", self.tasks),
            Route("/bundles", self.bundles),
            Route("/bundles/{day}/{path:path}", self.bundle_file),
            Route(f"{api}/coverage", self.api_coverage),
            Route(f"{api}/coverage/{{dataset}}", self.api_index),
            Route(f"{api}/coverage/{{dataset}}/{{tile}}/{{digest}}", self.api_tile),
            Route(f"{api}/cell", self.api_cell),
            Route(f"{api}/bars", self.api_bars),
            Route(f"{api}/findings", self.api_findings),
            Route(f"{api}/tasks", self.api_tasks),
            Route(f"{api}/bundles", self.api_bundles),
        ]

    async def coverage(self, _: Request) -> Response:
        """Every cell of a dataset as a point of a map."""
        drawn, undrawn = self._drawn()
        return self._pages.page("coverage.html", "Coverage", drawn=drawn, undrawn=undrawn)

    async def cell(self, request: Request) -> Response:
        """The story of a cell."""
        answer = await self._browse.answer(_cell(request))
        return self._shown(answer, CellAnswer, "cell.html", "Cell")

    async def data(self, _: Request) -> Response:
        """Charts of a series."""
        return self._pages.page("data.html", "Data", datasets=list(self._loaded.values.dataset))

    async def findings(self, _: Request) -> Response:
        """What the checks found."""
        answer = await self._browse.answer(FindingsQuestion())
        return self._shown(answer, FindingsAnswer, "quality.html", "Quality")

    async def tasks(self, request: Request) -> Response:
        """The queue."""
        state = request.query_params.get("state", "")
        answer = await self._browse.answer(TasksQuestion(state=state))
        return self._shown(answer, TasksAnswer, "tasks.html", "Tasks", states=STATES, state=state)

    async def bundles(self, request: Request) -> Response:
        """The bundles, to look at and to fetch."""
        answer = await self._browse.answer(BundlesQuestion(day=request.query_params.get("day", "")))
        return self._shown(answer, BundlesAnswer, "bundles.html", "Bundles")

    async def bundle_file(self, request: Request) -> Response:
        """A file of a bundle, in ranges too."""
        path = bundle_files.find(self._loaded, request.path_params["day"], request.path_params["path"])
        if path is None:
            return PlainTextResponse("No bundle has this file.\n", status_code=404)
        headers = {"Cache-Control": _ASK_AGAIN}
        if request.path_params["path"] == layout.GAPS_PAGE:  # it needs nothing but what it has in itself
            headers["Content-Security-Policy"] = _ALONE
        return FileResponse(path, headers=headers)

    async def api_coverage(self, _: Request) -> Response:
        """What is drawn of each dataset."""
        drawn, undrawn = self._drawn()
        return json_response({"datasets": drawn, "undrawn": undrawn})

    async def api_index(self, request: Request) -> Response:
        """Rows and columns of a dataset's map, and its tiles."""
        name = request.path_params["dataset"]
        index = self._index(name)
        if index is None:
            return PlainTextResponse(f"{name} is not drawn.\n", status_code=404)
        return json_response(index)

    async def api_tile(self, request: Request) -> Response:
        """A tile. What bears its digest never changes."""
        name, tile, digest = (request.path_params[part] for part in ("dataset", "tile", "digest"))
        content = (
            tiles.packed(self._folder, name, tile, digest) if name in self._loaded.values.dataset else None
        )
        if content is None:
            return PlainTextResponse("There is no such tile.\n", status_code=404)
        headers = {"Cache-Control": _FOREVER, "ETag": f'"{digest}"', "Vary": "Accept-Encoding"}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
        else:
            content = gzip.decompress(content)
        return Response(content, media_type="application/octet-stream", headers=headers)

    async def api_cell(self, request: Request) -> Response:
        """The story of a cell."""
        return await self._plain(_cell(request))

    async def api_bars(self, request: Request) -> Response:
        """Rows of a series."""
        query = request.query_params
        given = {name: query[name] for name in BarsQuestion.__struct_fields__ if name in query}
        question = BarsQuestion(**{"dataset": "", "symbol": "", **given})
        return await self._plain(question)

    async def api_findings(self, _: Request) -> Response:
        """What the checks found."""
        return await self._plain(FindingsQuestion())

    async def api_tasks(self, request: Request) -> Response:
        """The queue."""
        return await self._plain(TasksQuestion(state=request.query_params.get("state", "")))

    async def api_bundles(self, request: Request) -> Response:
        """The bundles on disk."""
        return await self._plain(BundlesQuestion(day=request.query_params.get("day", "")))

    async def _plain(self, question: Question) -> Response:
        answer = await self._browse.answer(question)
        if isinstance(answer, BrowseRefusal):
            return PlainTextResponse(f"{answer.text}\n", status_code=503 if answer.ours else 400)
        return json_response(answer)

    def _shown(self, answer: Reply, kind: type[Reply], template: str, title: str, **more: Any) -> Response:
        """A page of an answer, or of why there is none."""
        if isinstance(answer, kind):
            return self._pages.page(template, title, answer=answer, **more)
        refusal = (
            answer
            if isinstance(answer, BrowseRefusal)
            else BrowseRefusal(text="Something else was answered.", ours=True)
        )
        return self._pages.page("refusal.html", title, status=503 if refusal.ours else 400, text=refusal.text)

    def _drawn(self) -> tuple[list[HeatmapSummary], list[str]]:
        """What is drawn of each dataset, and the datasets of which nothing is."""
        indexes = {name: self._index(name) for name in self._loaded.values.dataset}
        return [index.summary for index in indexes.values() if index], [
            name for name, index in indexes.items() if index is None
        ]

    def _index(self, name: str) -> HeatmapIndex | None:
        return tiles.index(self._folder, name) if name in self._loaded.values.dataset else None


def _cell(request: Request) -> CellQuestion:
    query = request.query_params
    return CellQuestion(
        dataset=query.get("dataset", ""), symbol=query.get("symbol", ""), session=query.get("session", "")
    )
