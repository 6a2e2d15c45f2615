"""The command `crossprem`: the result goes to standard output, progress to standard error.

Everything heavy is imported inside a command, so that `crossprem --help` answers at once.
"""

from __future__ import annotations

import gc
import io
import sys
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Final

import typer
import typer.main

import simulator
from simulator.base.errors import (
    CrosspremError,
    ExitCode,
    InternalError,
    ScenarioError,
    UsageError,
)
from simulator.commands import COMMANDS
from simulator.commands.options import examples, to_json, write

app: Final = typer.Typer(
    name="crossprem",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

GARBAGE_THRESHOLD: Final = 100_000
"""New containers after which Python looks for garbage; by itself after 700."""


def _version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"crossprem {simulator.__version__}")
        raise typer.Exit


@app.callback(
    epilog=examples(
        "crossprem run scenarios/site-to-site.yaml",
        "crossprem run branch.yaml --set gateways.hub-vpn.sku=VpnGw2AZ --seed 7",
        "crossprem explain branch.yaml",
        "crossprem catalog vpn-gateway-skus --era 2017-12",
    )
)
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Performance and failover simulator for hybrid-cloud connectivity."""


for _name, _module in COMMANDS.items():
    app.command(_name, epilog=_module.EPILOG)(_module.command)


def execute(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code; nothing but an exit code comes out."""
    as_json = "--json" in arguments
    is_verbose = not {"-v", "--verbose"}.isdisjoint(arguments)
    try:
        code = typer.main.get_command(app)(
            list(arguments), prog_name="crossprem", standalone_mode=False
        )
        return int(code or ExitCode.OK)
    except typer.TyperException as error:
        if not as_json:
            error.show()  # type: ignore[attr-defined]
            return ExitCode.USAGE
        return _fail(UsageError(error.format_message()), as_json)
    except (KeyboardInterrupt, typer.Abort):
        return ExitCode.INTERRUPTED
    except CrosspremError as error:
        if error.exit_code is not ExitCode.INTERNAL:
            return _fail(error, as_json)
        return _fail(_internal(error, is_verbose), as_json)
    except Exception as error:  # the last line of defence: nobody is to read a traceback
        return _fail(_internal(error, is_verbose), as_json)


def _internal(error: Exception, is_verbose: bool) -> InternalError:
    """Say on one line what went wrong, and what we need to find out why."""
    if is_verbose:
        traceback.print_exception(error)
    what = " ".join(str(error).split()) or "no message"
    notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
    return InternalError(
        f"internal error, {type(error).__name__}: {what}{notes}; this is a fault of crossprem "
        f"{simulator.__version__}: please report it with the scenario and what the same command "
        "prints with -v"
    )


def _fail(error: CrosspremError, as_json: bool) -> int:
    if as_json:
        problems = error.problems if isinstance(error, ScenarioError) else ()
        write(
            to_json(
                {
                    "error": {
                        "kind": type(error).__name__,
                        "exit_code": int(error.exit_code),
                        "message": str(error),
                        "problems": [asdict(problem) for problem in problems],
                    }
                }
            )
        )
    else:
        sys.stderr.write(f"{error}\n")
    return error.exit_code


def main() -> None:
    """Entry point of the command."""
    # Modules and tables live until the end: to look through them for garbage takes a tenth of it.
    gc.set_threshold(GARBAGE_THRESHOLD)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    sys.exit(execute(sys.argv[1:]))
