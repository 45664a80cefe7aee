"""The pages of the node's state, the API beside them, metrics, and events for what moves."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse

from fulltape.market.time import to_datetime
from fulltape.service.config import WebSettingsConfig
from fulltape.service.sentences import WHY
from fulltape.version import VERSION
from fulltape.web import metrics, openapi, words
from fulltape.web.poller import Poller
from fulltape.web.snapshot import RUNS, Snapshot

HERE = Path(__file__).parent
_BEAT = 15.0
"""Seconds after which an event stream says that it lives."""
_LOOK = 0.5
_MOST_STREAMS = 50


class Pages:
    """The handlers, over what the poller knows."""

    def __init__(self, config: WebSettingsConfig, poller: Poller) -> None:
        self._config, self._poller = config, poller
        self._streams = 0
        self.closing = asyncio.Event()
        """Set once the server ends: event streams end with it."""
        self._templates = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=select_autoescape(default=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters["clock"] = words.clock
        self._templates.filters["moment"] = words.moment
        self._templates.filters["many"] = lambda value: f"{value:,}"
        self._templates.globals |= {"base": config.base_path, "version": VERSION}

    async def overview(self, _: Request) -> Response:
        """Is everything all right, what is missing, what is next."""
        return self.page("overview.html", "Overview")

    async def streams(self, _: Request) -> Response:
        """Live capture, stream by stream."""
        return self.page("streams.html", "Streams")

    async def vendors(self, _: Request) -> Response:
        """Budgets, and what was answered."""
        return self.page("vendors.html", "Vendors")

    async def schedule(self, _: Request) -> Response:
        """What runs when."""
        return self.page("schedule.html", "Schedule")

    async def log(self, _: Request) -> Response:
        """The newest runs."""
        return self.page("log.html", "Log")

    async def login(self, request: Request) -> Response:
        """A form for the token."""
        return self.page(
            "login.html", "Token", wrong="wrong" in request.query_params, label=self._poller.newest.node
        )

    async def api_node(self, _: Request) -> Response:
        """Everything that the pages show, with the sentence."""
        seen = self._poller.newest
        return json_response(
            {
                "headline": words.headline(seen),
                "nights": words.ribbon(seen.nights, _today(seen)),
                "node": seen,
            }
        )

    async def api_runs(self, request: Request) -> Response:
        """The newest runs of the schedule's entries."""
        entry, limit = request.query_params.get("entry", ""), request.query_params.get("limit", str(RUNS))
        if not limit.isdecimal():
            return PlainTextResponse(f"limit = {limit}: a whole number is wanted.\n", status_code=400)
        seen = self._poller.newest
        known = {run.entry for run in seen.runs} | (
            {each.name for each in seen.service.entries} if seen.service else set()
        )
        if entry and entry not in known:
            return PlainTextResponse(f"the schedule has no entry {entry}.\n", status_code=404)
        return json_response(
            {"runs": [run for run in seen.runs if not entry or run.entry == entry][: int(limit)]}
        )

    async def api_description(self, _: Request) -> Response:
        """The API, described."""
        return json_response(openapi.document(self._config.base_path))

    async def metrics(self, _: Request) -> Response:
        """For Prometheus."""
        text, kind = metrics.exposition(self._poller.newest)
        return Response(text, media_type=kind)

    async def alive(self, _: Request) -> Response:
        """That this process answers."""
        return PlainTextResponse("ok\n")

    async def ready(self, _: Request) -> Response:
        """Whether the service runs, needs no person, and every stream is live."""
        seen = self._poller.newest
        if seen.stale or seen.service is None:
            why = "the node cannot be looked at" if seen.stale else "no service runs"
            return PlainTextResponse(f"{why}\n", status_code=503)
        needs = [seen.service.message] if seen.service.message else []
        needs += [condition.title for condition in seen.service.conditions]
        needs += [down] if (down := words.not_live(seen)) else []
        return PlainTextResponse("\n".join(needs or ["ok"]) + "\n", status_code=503 if needs else 200)

    async def events(self, request: Request) -> Response:
        """A line whenever what is shown has changed."""
        if self._streams >= _MOST_STREAMS:
            return PlainTextResponse("There are too many streams already.\n", status_code=503)

        async def lines() -> AsyncIterator[str]:
            self._streams += 1
            try:
                version, quiet = self._poller.version, 0.0
                yield f"retry: 3000\ndata: {version}\n\n"
                while not self.closing.is_set() and not await request.is_disconnected():
                    await asyncio.sleep(_LOOK)
                    quiet += _LOOK
                    if self._poller.version != version or quiet >= _BEAT:
                        version, quiet = self._poller.version, 0.0
                        yield f"data: {version}\n\n"
            finally:
                self._streams -= 1

        return StreamingResponse(lines(), media_type="text/event-stream")

    def page(self, name: str, title: str, *, status: int = 200, **more: object) -> Response:
        """A template with what is known of the node, and more."""
        seen = self._poller.newest
        template = self._templates.get_template(name)
        content = template.render(
            title=title,
            current=name.removesuffix(".html"),
            node=seen,
            headline=words.headline(seen),
            nights=words.ribbon(seen.nights, _today(seen)),
            why=WHY,
            upcoming=words.upcoming(seen.service) if seen.service else (),
            ago=lambda at: words.ago(at, seen.at),
            **more,
        )
        return HTMLResponse(content, status_code=status)


def _today(seen: Snapshot) -> dt.date:
    return to_datetime(seen.at).date()


def json_response(value: object) -> Response:
    """A value as JSON."""
    return Response(msgspec.json.encode(value), media_type="application/json")
