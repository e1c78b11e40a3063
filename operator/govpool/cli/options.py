"""Options that commands share, and where a command finds its control plane."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from govpool.cli.errors import CliError, Exit
from govpool.messages import Language


class Lang(StrEnum):
    """A language of the message catalogue."""

    EN = "en"
    ZH = "zh"


def default_language() -> str:
    """Chinese where the environment is Chinese, else English."""
    for name in ("GOVPOOL_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name):
            return Lang.ZH if value.lower().startswith("zh") else Lang.EN
    return Lang.EN


def language_of(chosen: Lang) -> Language:
    """The catalogue's own word for it."""
    return "zh" if chosen is Lang.ZH else "en"


def default_state_dir() -> Path:
    """Where ``govpool up`` keeps its data: ``/var/lib/govpool`` for root, else the home directory."""
    if os.geteuid() == 0:
        return Path("/var/lib/govpool/control-plane")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "govpool/control-plane"


LanguageOption = Annotated[
    Lang, typer.Option("--language", help="Language of what is told.", default_factory=default_language)
]
KubeconfigOption = Annotated[
    Path | None,
    typer.Option(
        "--kubeconfig",
        help="Kubeconfig of who acts. Else $KUBECONFIG, the Pod's own account, ~/.kube/config.",
    ),
]
AsOption = Annotated[
    str | None,
    typer.Option(
        "--as", help="Act as this user of the embedded control plane: admin, acceptor, reviewer, unit ..."
    ),
]
StateOption = Annotated[
    Path,
    typer.Option(
        "--state-dir",
        envvar="GOVPOOL_STATE_DIR",
        help="State directory of the embedded control plane (govpool up).",
        default_factory=default_state_dir,
    ),
]
NamespaceOption = Annotated[
    str | None,
    typer.Option(
        "--namespace",
        "-n",
        help="The unit's namespace. Else the kubeconfig's, else wherever the name is found.",
    ),
]


def kubeconfig_of(
    kubeconfig: Path | None, user: str | None, state_dir: Path, *, otherwise: str | None = None
) -> Path | None:
    """The kubeconfig that a command uses; None for the account of the Pod that it runs in.

    ``otherwise`` is the user of the embedded control plane that is taken when nothing else is there.

    Raises:
        CliError: there is none, or no such user.
    """
    if user is not None:
        return _embedded(user, state_dir)
    if kubeconfig is not None:
        if not kubeconfig.is_file():
            raise CliError(f"{kubeconfig}: no such kubeconfig", Exit.USAGE)
        return kubeconfig
    for given in os.environ.get("KUBECONFIG", "").split(os.pathsep):
        if given and Path(given).is_file():
            return Path(given)
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        return None
    home = Path.home() / ".kube/config"
    if home.is_file():
        return home
    if otherwise is not None and (state_dir / f"{otherwise}.kubeconfig").is_file():
        return state_dir / f"{otherwise}.kubeconfig"
    raise CliError(
        "no control plane is named: give --kubeconfig or --as, set KUBECONFIG, or start one with govpool up",
        Exit.USAGE,
    )


def _embedded(user: str, state_dir: Path) -> Path:
    path = state_dir / f"{user}.kubeconfig"
    if path.is_file():
        return path
    known = ", ".join(sorted(found.stem for found in state_dir.glob("*.kubeconfig")))
    raise CliError(
        f"there is no user {user!r} in {state_dir}: "
        + (f"use one of {known}" if known else "run govpool up first, or give its --state-dir"),
        Exit.USAGE,
    )
