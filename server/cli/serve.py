"""`encore serve`: the gRPC server over published bundles."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from server.lifecycle import run_until_signal
from server.serve import assembled
from server.settings import Settings


def serve(
    bundles: Annotated[
        Path | None, typer.Option("--bundles", help="Directory of all bundles.")
    ] = None,
    database_url: Annotated[
        str | None, typer.Option("--database-url", help="SQLite or PostgreSQL URL of the store.")
    ] = None,
    port: Annotated[int | None, typer.Option("--port", help="Port of RecommenderService.")] = None,
    admin_port: Annotated[
        int | None, typer.Option("--admin-port", help="Port of AdminService, on loopback.")
    ] = None,
    metrics_port: Annotated[
        int | None, typer.Option("--metrics-port", help="Port of /metrics.")
    ] = None,
    domain: Annotated[
        list[str] | None, typer.Option("--domain", help="Serve only this domain; repeatable.")
    ] = None,
) -> None:
    """Serve until SIGTERM or Ctrl-C. What is not given comes from ENCORE_* variables."""
    given: dict[str, Any] = {
        "bundles": bundles,
        "database_url": database_url,
        "port": port,
        "admin_port": admin_port,
        "metrics_port": metrics_port,
        "domains": tuple(domain) if domain else None,
    }
    settings = Settings(**{name: value for name, value in given.items() if value is not None})
    with assembled(settings) as server:
        asyncio.run(run_until_signal(server))
