"""The JSON API, described as OpenAPI, out of the records that it sends."""

from __future__ import annotations

from typing import Any

import msgspec

from fulltape.service.memory import RunRecord
from fulltape.version import VERSION
from fulltape.web.snapshot import Snapshot
from fulltape.web.words import Headline, Square


class NodeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`/api/v1/node`. Moments are microseconds UTC."""

    headline: Headline
    nights: list[Square]
    node: Snapshot


class RunsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`/api/v1/runs`."""

    runs: list[RunRecord]


def document(base: str) -> dict[str, Any]:
    """The description; `base` is the path under which the API stands."""
    (node, runs), schemas = msgspec.json.schema_components(
        [NodeAnswer, RunsAnswer], ref_template="#/components/schemas/{name}"
    )
    entry = {"name": "entry", "in": "query", "required": False, "schema": {"type": "string"}}
    limit = {"name": "limit", "in": "query", "required": False, "schema": {"type": "integer", "minimum": 0}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "fulltape", "version": VERSION, "description": "A node, read only."},
        "servers": [{"url": base or "/"}],
        "paths": {
            "/api/v1/node": {"get": _get("The node now, and the sentence about it.", node)},
            "/api/v1/runs": {
                "get": _get("The newest runs of the schedule, newest first.", runs)
                | {"parameters": [entry, limit]}
            },
        },
        "components": {"schemas": schemas},
    }


def _get(summary: str, schema: dict[str, Any]) -> dict[str, Any]:
    refused = {"description": "A token is wanted."}
    answer = {"description": "OK", "content": {"application/json": {"schema": schema}}}
    return {"summary": summary, "responses": {"200": answer, "401": refused}}
