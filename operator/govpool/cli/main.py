"""The command line: one module per command."""

from __future__ import annotations

import typer

from govpool.cli import audit, certificate, clock, confirm, crds, order, policy, recover, usage
from govpool.cli.approve import approve
from govpool.cli.backup import backup, restore
from govpool.cli.demo import demo
from govpool.cli.doctor import doctor
from govpool.cli.explain import explain
from govpool.cli.operator import operator
from govpool.cli.retry import retry
from govpool.cli.run_order import run_order
from govpool.cli.simulate import simulate
from govpool.cli.status import status
from govpool.cli.top import top
from govpool.cli.up import up
from govpool.cli.version import print_version

EPILOG = (
    "Exit codes: 0 done, or yes; 1 refused, failed, or no; 2 the command line can't be understood; "
    "3 could not be found out (no answer from the control plane); 130 interrupted."
)

app = typer.Typer(
    name="govpool",
    help="Runs a government cloud by its own regulation (政务云管理办法).",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
RUNNING, DECIDING, LOOKING = "Running", "Acting", "Looking"

app.command(rich_help_panel=RUNNING)(demo)
app.command(rich_help_panel=RUNNING)(up)
app.command(rich_help_panel=RUNNING)(operator)
app.command("run-order", rich_help_panel=RUNNING)(run_order)
app.command(rich_help_panel=RUNNING)(backup)
app.command(rich_help_panel=RUNNING)(restore)
app.add_typer(recover.app, name="recover", no_args_is_help=True, rich_help_panel=RUNNING)
app.add_typer(crds.app, name="crds", no_args_is_help=True, rich_help_panel=RUNNING)
app.command(rich_help_panel=DECIDING)(approve)
app.add_typer(confirm.app, name="confirm", no_args_is_help=True, rich_help_panel=DECIDING)
app.add_typer(order.app, name="order", no_args_is_help=True, rich_help_panel=DECIDING)
app.command(rich_help_panel=DECIDING)(retry)
app.add_typer(usage.app, name="usage", no_args_is_help=True, rich_help_panel=DECIDING)
app.add_typer(clock.app, name="clock", no_args_is_help=True, rich_help_panel=DECIDING)
app.command(rich_help_panel=LOOKING)(status)
app.command(rich_help_panel=LOOKING)(top)
app.command(rich_help_panel=LOOKING)(explain)
app.add_typer(audit.app, name="audit", no_args_is_help=True, rich_help_panel=LOOKING)
app.add_typer(certificate.app, name="certificate", no_args_is_help=True, rich_help_panel=LOOKING)
app.add_typer(policy.app, name="policy", no_args_is_help=True, rich_help_panel=LOOKING)
app.command(rich_help_panel=LOOKING)(simulate)
app.command(rich_help_panel=LOOKING)(doctor)
app.command("version", rich_help_panel=LOOKING)(print_version)

if __name__ == "__main__":
    app()
