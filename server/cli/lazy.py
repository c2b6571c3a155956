"""Commands that are imported when they are asked for: usage and help wait for no library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

import typer
from typer.core import TyperGroup
from typer.main import get_command

if TYPE_CHECKING:
    from typer._click import Command, Context


@dataclass(frozen=True)
class LazyCommand:
    """A command, or a group of some, in a module that takes its time to import."""

    module: str
    attribute: str
    """A function, or a `typer.Typer` of several."""
    summary: str
    """The first paragraph of its help, for the list of commands."""

    def load(self, name: str) -> Command:
        """Import it, under the name that it is called by."""
        found = getattr(import_module(self.module), self.attribute)
        if not isinstance(found, typer.Typer):
            alone = typer.Typer(add_completion=False)
            alone.command(name)(found)
            found = alone
        command = get_command(found)
        command.name = name
        return command


def lazy_app(name: str, summary: str, commands: Mapping[str, LazyCommand]) -> typer.Typer:
    """An app of commands that are listed by their summaries and imported when they are called."""

    class Group(TyperGroup):
        def resolve_command(
            self, ctx: Context, args: list[str]
        ) -> tuple[str | None, Command | None, list[str]]:
            if args and args[0] in commands:
                self.commands[args[0]] = commands[args[0]].load(args[0])
            return super().resolve_command(ctx, args)

    app = typer.Typer(
        name=name,
        cls=Group,
        help=summary,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for each, command in commands.items():
        app.command(each, help=command.summary)(_unloaded)
    return app


def _unloaded() -> None:
    """Stands in the list for a command that is not imported yet."""
    raise AssertionError("a command is loaded before it is called")
