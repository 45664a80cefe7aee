"""The JSON API, described as OpenAPI, out of the records that it sends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import msgspec

from fulltape.browse.questions import (
    BarsAnswer,
    BarsQuestion,
    BundlesAnswer,
    BundlesQuestion,
    CellAnswer,
    CellQuestion,
    FindingsAnswer,
    Reply,
    TasksAnswer,
    TasksQuestion,
)
from fulltape.heatmap.tiles import HeatmapIndex, HeatmapSummary
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


class CoverageAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`/api/v1/coverage`."""

    datasets: list[HeatmapSummary]
    undrawn: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A path of the API. Fields of `question` are its parameters, required where they have no default; `where` are those that stand in
    the path itself."""

    path: str
    summary: str
    answer: type[msgspec.Struct] | None
    question: type[msgspec.Struct] | None = None
    where: Sequence[str] = ()


class _RunsQuestion(msgspec.Struct, frozen=True, kw_only=True):
    entry: str = ""
    limit: int = 200


_TILE = "A tile: bytes, row by row, as the index of its dataset describes them."
DESCRIBED = (
    Described(path="/api/v1/node", summary="The node now, and the sentence about it.", answer=NodeAnswer),
    Described(
        path="/api/v1/runs",
        summary="The newest runs of the schedule, newest first.",
        answer=RunsAnswer,
        question=_RunsQuestion,
    ),
    Described(path="/api/v1/coverage", summary="What is drawn of each dataset.", answer=CoverageAnswer),
    Described(
        path="/api/v1/coverage/{dataset}",
        summary="Rows and columns of the map of a dataset, and its tiles.",
        answer=HeatmapIndex,
        where=("dataset",),
    ),
    Described(
        path="/api/v1/coverage/{dataset}/{tile}/{digest}",
        summary=_TILE,
        answer=None,
        where=("dataset", "tile", "digest"),
    ),
    Described(path="/api/v1/cell", summary="The story of a cell.", answer=CellAnswer, question=CellQuestion),
    Described(path="/api/v1/bars", summary="Rows of a series.", answer=BarsAnswer, question=BarsQuestion),
    Described(path="/api/v1/findings", summary="What the checks found, by series.", answer=FindingsAnswer),
    Described(path="/api/v1/tasks", summary="The newest tasks.", answer=TasksAnswer, question=TasksQuestion),
    Described(
        path="/api/v1/bundles", summary="The bundles on disk.", answer=BundlesAnswer, question=BundlesQuestion
    ),
)


def document(base: str) -> dict[str, Any]:
    """The description; `base` is the path under which the API stands."""
    sent = [described.answer for described in DESCRIBED if described.answer]
    references, schemas = msgspec.json.schema_components(sent, ref_template="#/components/schemas/{name}")
    by_answer = dict(zip(sent, references, strict=True))
    return {
        "openapi": "3.1.0",
        "info": {"title": "fulltape", "version": VERSION, "description": "A node, read only."},
        "servers": [{"url": base or "/"}],
        "paths": {described.path: {"get": _get(described, by_answer)} for described in DESCRIBED},
        "components": {"schemas": schemas},
    }


def _get(described: Described, schemas: Mapping[type[msgspec.Struct], dict[str, Any]]) -> dict[str, Any]:
    content = (
        {"application/json": {"schema": schemas[described.answer]}}
        if described.answer
        else {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    )
    answers = {
        "200": {"description": "OK", "content": content},
        "401": {"description": "A token is wanted."},
    }
    if described.question:
        answers["400"] = {"description": "The question cannot be meant; the text says why."}
    if described.answer in get_args(Reply):
        answers["503"] = {"description": "The node cannot be read now; the text says why."}
    if described.where or described.answer is RunsAnswer:
        answers["404"] = {"description": "There is none."}
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in described.where
    ]
    if described.question:
        parameters += [
            {
                "name": field.name,
                "in": "query",
                "required": field.required,
                "schema": {"type": "integer", "minimum": 0} if field.type is int else {"type": "string"},
            }
            for field in msgspec.structs.fields(described.question)
        ]
    return {"summary": described.summary, "responses": answers} | (
        {"parameters": parameters} if parameters else {}
    )
