"""`memi openapi`: the contract of the HTTP interface as a file."""

import json
from pathlib import Path
from typing import Annotated

import typer

from memi.app import openapi_document


def openapi(
    out: Annotated[Path | None, typer.Option(help="Write to this file instead of standard output.")] = None,
) -> None:
    """Print the OpenAPI 3.1 document, its keys sorted so that two versions compare line by line."""
    text = json.dumps(json.loads(openapi_document()), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    if out is None:
        print(text, end="")
    else:
        out.write_text(text, encoding="utf-8")
