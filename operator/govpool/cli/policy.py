"""``govpool policy``: look at a regulation before it is put in force."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from govpool.cli.errors import CliError, Exit
from govpool.cli.options import LanguageOption, language_of
from govpool.cli.run import fail
from govpool.messages import message

app = typer.Typer(help="Check a regulation (CloudPolicy) before it is put in force; look a clause up.")


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Manifests of CloudPolicies.")],
    language: LanguageOption,
) -> None:
    """Say what a policy lacks, where it contradicts itself, and what the engine can't do; needs no cluster.

    Each finding stands with file, line and column. Exit code 0 when nothing needs mending, 1 when
    something does.
    """
    from govpool.cli.policy_file import NotYamlError, check_text

    mistakes = 0
    for file in files:
        try:
            policies = check_text(file.read_text(encoding="utf-8"))
        except NotYamlError as error:
            why = message(error.hint).render(language_of(language)) if error.hint else str(error)
            fail(CliError(f"{file}:{error.place.line}:{error.place.column}: not YAML: {why}"))
        except UnicodeDecodeError:
            fail(CliError(f"{file}: not UTF-8: save it as UTF-8"))
        except OSError as error:
            fail(CliError(f"{file}: {error.strerror}", Exit.USAGE))
        if not policies:
            fail(CliError(f"{file}: holds no CloudPolicy", Exit.USAGE))
        for policy in policies:
            for located in policy.findings:
                place, finding = located.place, located.finding
                text = finding.message.render(language_of(language))
                sort = finding.sort.value
                typer.echo(f"{file}:{place.line}:{place.column}: {sort}: {finding.where}: {text}")
            told = "nothing to mend" if not policy.mistakes else f"{policy.mistakes} to mend"
            typer.echo(f"{file}: {policy.name}: {told}")
            mistakes += policy.mistakes
    if mistakes:
        raise typer.Exit(Exit.NO)


@app.command()
def where(
    clauses: Annotated[
        list[str], typer.Argument(metavar="CLAUSE...", help="YY-19(2), in quotes: code, article, item.")
    ],
    language: LanguageOption,
) -> None:
    """Say what carries a clause out: policy field, rule function, life-cycle place, tests, state.

    Needs no cluster. Exit code 2 for what is no clause, 1 for an article that no text has.
    """
    from govpool.cli.register_file import load, told

    register = load()
    for index, clause in enumerate(clauses):
        try:
            lines = told(register, clause, language_of(language))
        except ValueError as error:
            fail(CliError(str(error), Exit.USAGE))
        except LookupError as error:
            fail(CliError(str(error.args[0])))
        typer.echo("\n".join(["", *lines] if index else lines))
