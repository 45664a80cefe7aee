"""The application: its routes, and who may see them."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from fulltape.service.config import WebSettingsConfig
from fulltape.settings.load import Loaded
from fulltape.web.browsing import BrowseProcess
from fulltape.web.data_pages import DataPages
from fulltape.web.guard import Guard
from fulltape.web.pages import HERE, Pages
from fulltape.web.poller import Poller


def application(
    config: WebSettingsConfig, loaded: Loaded, poller: Poller, browse: BrowseProcess
) -> tuple[Starlette, Pages]:
    """The application, and its pages."""
    pages = Pages(config, poller)
    routes = [
        Route("/", pages.overview),
        Route("/streams", pages.streams),
        Route("/vendors", pages.vendors),
        Route("/schedule", pages.schedule),
        Route("/log", pages.log),
        Route("/login", pages.login),
        Route("/events", pages.events),
        Route("/healthz", pages.alive),
        Route("/readyz", pages.ready),
        Route("/metrics", pages.metrics),
        Route("/api/v1/node", pages.api_node),
        Route("/api/v1/runs", pages.api_runs),
        Route("/api/v1/openapi.json", pages.api_description),
        *DataPages(loaded, pages, browse).routes,
        Mount("/static", StaticFiles(directory=HERE / "static")),
    ]
    guard = Guard(config.hosts, config.token_digest, config.base_path)
    return Starlette(routes=routes, middleware=[Middleware(BaseHTTPMiddleware, dispatch=guard)]), pages
