"""``govpool backup`` and ``govpool restore``: the whole control plane as one file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from govpool.cli.errors import CliError, Exit, refusal
from govpool.cli.options import AsOption, KubeconfigOption, LanguageOption, StateOption, language_of
from govpool.cli.run import acting, fail, run
from govpool.messages import Language, message

if TYPE_CHECKING:
    from govpool.effects.archive import Archive

LEFT_OUT = Path("/dev/null")
"""The passphrase file of who restores without the backup's Secrets."""
PassphraseOption = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        help="File with the passphrase of the Secrets. It is never an argument: those are seen by everybody.",
        exists=True,
        dir_okay=False,
    ),
]


def backup(
    file: Annotated[Path, typer.Argument(help="Where to write it.", dir_okay=False)],
    language: LanguageOption,
    state_dir: StateOption,
    secrets: Annotated[
        bool, typer.Option("--secrets", help="Take Secrets along, encrypted (--passphrase-file).")
    ] = False,
    passphrase_file: PassphraseOption = None,
    user: AsOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Write all objects, with certificates and audit trails, to one file. The operator may go on working."""
    if secrets and passphrase_file is None:
        raise typer.BadParameter("give --passphrase-file along with it", param_hint="--secrets")
    told = language_of(language)
    passphrase = _passphrase(passphrase_file, told) if secrets else None
    who = acting(kubeconfig, user, state_dir, otherwise="admin")
    run(_backup(file, who, passphrase, told))


async def _backup(file: Path, who: Path | None, passphrase: str | None, language: Language) -> None:
    from govpool.cli.api import connected
    from govpool.effects.backup import back_up

    async with connected(who) as api:
        manifest = await back_up(api, file, now=await api.now(), passphrase=passphrase)
    _say(
        "backup.done",
        language,
        path=file,
        objects=sum(manifest.counts.values()),
        kinds=len(manifest.counts),
        taken=manifest.taken.isoformat(),
    )
    if manifest.secrets_included:
        _say("backup.secrets", language, count=len(manifest.secrets))
    elif manifest.secrets:
        _say("backup.no-secrets", language, names=", ".join(manifest.secrets))
    if manifest.left_out:
        _say("backup.left-out", language, count=manifest.left_out)


def restore(
    file: Annotated[Path, typer.Argument(help="The backup.", exists=True, dir_okay=False)],
    language: LanguageOption,
    state_dir: StateOption,
    check: Annotated[bool, typer.Option("--check", help="Only check the file; restore nothing.")] = False,
    moved: Annotated[
        bool,
        typer.Option(
            "--moved",
            help="A planned move: the operator was stopped before the backup and nothing happened since. "
            "Every request is adopted at once.",
        ),
    ] = False,
    passphrase_file: PassphraseOption = None,
    user: AsOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Bring a backup back into an empty control plane (govpool crds apply), with the operator stopped.

    Nothing is made, changed or removed in a pool by it. Cut short, it goes on when it is called again.
    """
    told = language_of(language)
    archive = _read(file, told)
    if check:
        return
    if archive.sealed is not None and passphrase_file is None:
        fail(refusal("restore.passphrase-needed", told))
    left_out = archive.sealed is None or passphrase_file == LEFT_OUT
    passphrase = None if left_out else _passphrase(passphrase_file, told)
    who = acting(kubeconfig, user, state_dir, otherwise="admin")
    run(_restore(file, archive, who, passphrase, told, moved=moved))


def _read(file: Path, language: Language) -> Archive:
    from govpool.effects import archive

    try:
        found = archive.read(file)
    except archive.ArchiveError as error:
        fail(refusal("restore.damaged", language, path=file, why=error))
    except OSError as error:
        fail(CliError(f"{file}: {error.strerror}", Exit.USAGE))
    _say(
        "restore.checked",
        language,
        path=file,
        objects=len(found.objects),
        taken=found.manifest.taken.isoformat(),
        version=found.manifest.version,
    )
    return found


async def _restore(
    file: Path, archive: Archive, who: Path | None, passphrase: str | None, language: Language, *, moved: bool
) -> None:
    from govpool.cli.api import connected
    from govpool.effects.archive import ArchiveError
    from govpool.effects.restore import RestoreError, restore

    async with connected(who) as api:
        settled = await api.whoami() if moved else None
        try:
            result = await restore(api, archive, now=await api.now(), passphrase=passphrase, settled=settled)
        except RestoreError as error:
            raise refusal(error.key, language, **error.values) from None
        except ArchiveError as error:
            raise refusal("restore.damaged", language, path=file, why=error) from None
    _say("restore.done", language, made=result.made.total(), there=result.there.total())
    if result.missing_secrets:
        _say("restore.secrets-missing", language, names=", ".join(result.missing_secrets))
    if not moved:
        _say("restore.next", language)


def _passphrase(path: Path | None, language: Language) -> str | None:
    from govpool.effects.archive import LEAST_PASSPHRASE

    if path is None:
        return None
    try:
        found = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        fail(CliError(f"{path}: {error}", Exit.USAGE))
    if len(found) < LEAST_PASSPHRASE:
        fail(refusal("backup.short-passphrase", language, path=path, least=LEAST_PASSPHRASE))
    return found


def _say(key: str, language: Language, **values: object) -> None:
    typer.echo(message(f"cli.{key}", **values).render(language))
