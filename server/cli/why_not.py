"""`encore why-not`: asks a running server why objects are not in a user's list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from core.errors import FieldViolation, InvalidRequestError
from encore_client import AdminClient, RecommendOptions, WhyNot
from server.cli.options import AsJson, DomainName
from server.cli.output import print_json, stdout


def why_not(
    domain: DomainName,
    objects: Annotated[list[str], typer.Argument(help="Ids of 1 to 100 objects.")],
    user: Annotated[
        str, typer.Option("--user", help="Id of the user; a user without id when absent.")
    ] = "",
    context: Annotated[
        list[str] | None,
        typer.Option("--context", help="Context field as NAME=VALUE; repeatable."),
    ] = None,
    pool: Annotated[str, typer.Option("--pool", help="Draw only from this pool.")] = "",
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", help="Id left out of the list; repeatable.")
    ] = None,
    max_per_facet: Annotated[
        int | None, typer.Option("--max-per-facet", help="Cap of the request; 0 means none.")
    ] = None,
    admin: Annotated[
        str, typer.Option("--admin", help="Where AdminService listens.")
    ] = "localhost:50052",
    as_json: AsJson = False,
) -> None:
    """Say at which stage of a Recommend each object falls out, and why. Stores nothing."""
    options: RecommendOptions = {
        "context": dict(_pair(text) for text in context or ()),
        "pool": pool,
        "exclude_ids": exclude or [],
        "max_per_facet": max_per_facet,
    }
    with AdminClient(admin) as client:
        answer = client.why_not(domain, user, objects, **options)
    if as_json:
        print_json(asdict(answer))
        return
    stdout.print(_table(answer))
    for fallback in answer.fallbacks:
        stdout.print(f"· {fallback}", markup=False, highlight=False)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        problem = f"{text!r} is not NAME=VALUE: write source_tab=discover"
        raise InvalidRequestError([FieldViolation("--context", problem)])
    return name, value


def _table(answer: WhyNot) -> Table:
    table = Table(
        title=f"{answer.n_scored:,} candidates scored, {answer.n_listed:,} listed "
        f"by {answer.model_version}",
        title_justify="left",
    )
    for heading in ("object", "stage", "why"):
        table.add_column(heading)
    for heading in ("probability", "place", "rank"):
        table.add_column(heading, justify="right")
    table.add_column("sources (place of asked)")
    for fate in answer.fates:
        probability = None if fate.probability is None else f"{fate.probability:.4f}"
        sources = [
            f"{each.source} {_shown(each.place)} of {each.asked}"
            for each in fate.sources
            if each.place is not None
        ]
        cells = (
            fate.object_id,
            fate.stage.value.replace("_", " "),
            fate.why,
            _shown(probability),
            _shown(fate.score_place),
            _shown(fate.rank),
            _lines(sources),
        )
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _shown(value: object) -> str:
    return "–" if value is None else str(value)


def _lines(texts: Sequence[str]) -> str:
    return "\n".join(texts) or "–"
