"""The OpenAPI document of the server, made from the endpoints themselves."""

import json
import re
from collections.abc import Iterable
from typing import Any, Final

import reflow
from reflow.serve.endpoint import Endpoint, Parameter

_TEXT: Final = {"type": "string"}
_TIME: Final = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT00:00:00\.000000000Z$"}
_TEXTS: Final = {"type": "array", "items": _TEXT}
_NUMBER: Final = {"type": ["string", "null"], "pattern": r"^-?\d+(\.\d+)?$"}


def _object(required: dict[str, Any], optional: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    every = required | (optional or {})
    return {"type": "object", "required": list(required), "properties": every, **more}


def _list_of(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": schema}


_FREQUENCY: Final = _object({"frequency": {"const": "1d"}}, {"min_time": _TIME, "max_time": _TIME})
_SERIES: Final = _object({"metric": _TEXT, "frequencies": _list_of(_FREQUENCY)})
_METRIC: Final = dict.fromkeys(
    (
        *("metric", "full_name", "description", "product", "category", "subcategory"),
        *("unit", "data_type", "type"),
    ),
    _TEXT,
)
_ROWS: Final = {
    "Row": _object({"asset": {"const": "btc"}, "time": _TIME}, additionalProperties=_NUMBER),
    "CatalogItem": _object({"asset": _TEXT, "metrics": _list_of(_SERIES)}),
    "Metric": _object(_METRIC),
    "OldCatalogItem": _object(
        {**_METRIC, "frequencies": _list_of(_object({"frequency": {"const": "1d"}, "assets": _TEXTS}))}
    ),
    "Asset": _object({"asset": _TEXT, "full_name": _TEXT}),
    "Methodology": _object(
        {
            "name": _TEXT,
            "id": _TEXT,
            "purpose": _TEXT,
            "parameters": {"type": "object", "additionalProperties": _TEXT},
            "first_day": {"type": ["string", "null"]},
            "last_day": {"type": ["string", "null"]},
            "metrics": {"type": "integer"},
            "exchanges": _TEXTS,
        },
        {"run": {"type": "object", "description": "run.json."}},
    ),
}
_EXPLANATION: Final = _object(
    {
        "metric": _TEXT,
        "day": _TEXT,
        "methodology": _TEXT,
        "value": _NUMBER,
        "published": _NUMBER,
        "total": {"type": "integer", "description": "Sum of all parts, in sat or as a count."},
        "before": {
            "type": ["integer", "null"],
            "description": "For an end-of-day figure, its value of the day before.",
        },
        "number": {"type": "integer", "description": "Number of all parts."},
        "transactions": _list_of({"type": "object"}),
        "blocks": _list_of({"type": "object"}),
        "joined": _list_of({"type": "object"}),
        "warnings": _TEXTS,
    }
)
_ERROR: Final = _object({"error": _object({"type": _TEXT, "message": _TEXT})})
_PROBLEMS: Final = {
    "400": "A parameter is unknown, missing or wrong.",
    "401": "The operator's key is missing or wrong.",
    "403": "The request calls the server by a name that is not its own.",
    "414": "Path and query are longer than 10,000 letters.",
    "503": "The results cannot be read at this moment; ask again.",
}
_EXPLAINING: Final = {
    "501": "The server was started without a ledger and labels.",
    "503": "Ledger or results cannot be read at this moment, or too many cells are being explained.",
}


def document(endpoints: Iterable[Endpoint], *, with_key: bool) -> bytes:
    """The document as JSON; `with_key` if a key is needed."""
    told = {
        "openapi": "3.1.0",
        "info": {
            "title": "reflow",
            "version": reflow.__version__,
            "description": "A recomputation in the dialect of the vendor's API v4, read-only.",
        },
        "servers": [{"url": "/"}],
        "paths": {endpoint.path: {"get": _operation(endpoint)} for endpoint in endpoints},
        "components": {
            "schemas": {**_ROWS, "Explanation": _EXPLANATION, "Error": _ERROR},
            "securitySchemes": {"key": {"type": "apiKey", "in": "query", "name": "api_key"}},
        },
    } | ({"security": [{"key": []}]} if with_key else {})
    return json.dumps(told, indent=1, ensure_ascii=False).encode()


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    problems = _PROBLEMS | (_EXPLAINING if endpoint.row == "Explanation" else {})
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": _TEXT}
        for name in re.findall(r"\{(\w+)\}", endpoint.path)
    ]
    return {
        "summary": endpoint.summary,
        "parameters": in_path + [_parameter(parameter) for parameter in endpoint.parameters],
        "responses": {
            "200": {"description": endpoint.summary, "content": _content(endpoint)},
            **{status: _problem(said) for status, said in problems.items()},
        },
    }


def _problem(said: str) -> dict[str, Any]:
    error = {"schema": {"$ref": "#/components/schemas/Error"}}
    return {"description": said, "content": {"application/json": error}}


def _parameter(parameter: Parameter) -> dict[str, Any]:
    told = {
        "name": parameter.name,
        "in": "query",
        "required": parameter.required,
        "description": parameter.description,
        "schema": dict(parameter.schema),
    }
    is_list = parameter.schema.get("type") == "array"
    return told | ({"style": "form", "explode": False} if is_list else {})


def _content(endpoint: Endpoint) -> dict[str, Any]:
    row = {"$ref": f"#/components/schemas/{endpoint.row}"}
    formats = next((p.schema["enum"] for p in endpoint.parameters if p.name == "format"), ())
    alone = endpoint.row == "Explanation" or "{" in endpoint.path
    following = {"next_page_token": _TEXT, "next_page_url": _TEXT}
    body = row if alone else _object({"data": _list_of(row)}, following)
    content: dict[str, Any] = {"application/json": {"schema": body}}
    if "json_stream" in formats:
        content["application/x-ndjson"] = {"schema": _TEXT | {"description": "A row a line."}}
    if "csv" in formats:
        content["text/csv"] = {"schema": _TEXT}
    return content
