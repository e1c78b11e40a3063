"""``govpool operator``: carries out what was approved, on any Kubernetes API server or an embedded one."""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from govpool.cli.errors import CliError, Exit
from govpool.cli.options import KubeconfigOption, LanguageOption, default_state_dir, language_of
from govpool.cli.run import run
from govpool.lifecycle.leadership import LEASE_SECONDS, Timing
from govpool.lifecycle.sharding import Shard
from govpool.messages import Language

if TYPE_CHECKING:
    from govpool.effects.jobs.manifests import JobSettings
    from govpool.effects.notify.config import NotifyConfig


class RunBy(StrEnum):
    """What runs playbooks."""

    LOCAL = "local"
    JOB = "job"


class LogFormat(StrEnum):
    """How log lines look."""

    AUTO = "auto"
    """Text on a terminal, JSON elsewhere."""
    TEXT = "text"
    JSON = "json"

    @property
    def as_json(self) -> bool:
        """Whether lines are JSON."""
        return self is LogFormat.JSON or (self is LogFormat.AUTO and not sys.stderr.isatty())


def default_operator_dir() -> Path:
    """Where an operator keeps evidence: beside the embedded control plane's state."""
    return default_state_dir().with_name("operator")


def operator(  # noqa: PLR0913, PLR0917 - its options
    language: LanguageOption,
    state_dir: Annotated[
        Path,
        typer.Option(
            "--state-dir",
            help="Evidence, run records and locks of the operator.",
            default_factory=default_operator_dir,
        ),
    ],
    control_plane_dir: Annotated[
        Path,
        typer.Option(
            "--control-plane-dir",
            help="State of the embedded control plane, started when no other is named.",
            default_factory=default_state_dir,
        ),
    ],
    kubeconfig: KubeconfigOption = None,
    liveness: Annotated[
        str | None, typer.Option(help="Answer health probes here: http://127.0.0.1:8080/healthz.")
    ] = None,
    lease_seconds: Annotated[
        float,
        typer.Option(
            "--lease-seconds",
            envvar="GOVPOOL_LEASE_SECONDS",
            min=1.0,
            help="How long after a leader's death another one waits before it leads.",
        ),
    ] = LEASE_SECONDS,
    shard: Annotated[
        str,
        typer.Option(envvar="GOVPOOL_SHARD", help="I/N: keep only the namespaces of this shard, from 0/N."),
    ] = "0/1",
    executor: Annotated[
        RunBy,
        typer.Option(
            envvar="GOVPOOL_EXECUTOR", help="local: playbooks run here; job: each order is a Kubernetes Job."
        ),
    ] = RunBy.LOCAL,
    runner_image: Annotated[
        str, typer.Option(envvar="GOVPOOL_RUNNER_IMAGE", help="Image of the Jobs, for --executor job.")
    ] = "",
    runs_namespace: Annotated[
        str, typer.Option(envvar="GOVPOOL_RUNS_NAMESPACE", help="Namespace of the Jobs; it must be there.")
    ] = "govpool-runs",
    runner_pod: Annotated[
        str,
        typer.Option(
            envvar="GOVPOOL_RUNNER_POD",
            help="What the Jobs' Pods get besides, as JSON: imagePullSecrets, nodeSelector, tolerations,"
            " priorityClassName, resources, env, volumes, volumeMounts.",
        ),
    ] = "",
    http_port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Serve /healthz, /readyz and /metrics on this port; 0 takes a free one."
        ),
    ] = None,
    http_host: Annotated[str, typer.Option(help="Address to serve them on.")] = "127.0.0.1",
    notifications: Annotated[
        Path | None,
        typer.Option(
            envvar="GOVPOOL_NOTIFICATIONS", help="Tell people who must act, as this file says (YAML)."
        ),
    ] = None,
    log_format: Annotated[
        LogFormat, typer.Option(help="auto: text on a terminal, one JSON object a line elsewhere.")
    ] = LogFormat.AUTO,
    verbose: Annotated[int, typer.Option("--verbose", "-v", count=True, help="Log more; -vv logs all.")] = 0,
) -> None:
    """Run the operator until Ctrl-C, against the first of these that there is:

    --kubeconfig, $KUBECONFIG, the cluster of its Pod, an embedded control plane that it starts along.
    What is under way when it stops is taken up again by the next one. Of several on one API server only
    one acts, by a Lease in govpool-system; the others wait for its end.
    """
    from govpool.effects import logs

    levels = {0: logging.WARNING, 1: logging.INFO}
    logs.configure(levels.get(verbose, logging.DEBUG), as_json=log_format.as_json)
    led = _Led(
        Timing.of(lease_seconds),
        _shard(shard),
        http_host,
        http_port,
        notifications,
        _jobs(executor, runner_image, runs_namespace, runner_pod),
    )
    run(_operator(kubeconfig, control_plane_dir, state_dir, liveness, language_of(language), led))


@dataclass(frozen=True, slots=True)
class _Led:
    """How its leader is elected, and of what; and where it says how it is."""

    timing: Timing
    shard: Shard
    http_host: str
    http_port: int | None
    notifications: Path | None
    jobs: JobSettings | None


def _jobs(executor: RunBy, image: str, namespace: str, pod: str) -> JobSettings | None:
    from govpool.effects.jobs.manifests import JobSettings
    from govpool.effects.jobs.pod import RunnerPod

    if executor is RunBy.LOCAL:
        return None
    if not image:
        raise typer.BadParameter("--executor job needs one", param_hint="--runner-image")
    try:
        return JobSettings(image, namespace, RunnerPod.parse(pod))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--runner-pod") from None


def _shard(text: str) -> Shard:
    try:
        return Shard.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--shard") from None


def _notifications(path: Path | None) -> NotifyConfig | None:
    if path is None:
        return None
    from govpool.effects.notify.config import ConfigError, load

    try:
        return load(path)
    except ConfigError as error:
        raise CliError(f"--notifications: {error}", Exit.USAGE) from None


async def _operator(
    kubeconfig: Path | None,
    plane_dir: Path,
    state_dir: Path,
    liveness: str | None,
    language: Language,
    led: _Led,
) -> None:
    from govpool.cli.control_planes import control_plane
    from govpool.effects.election import DeposedError
    from govpool.effects.endpoint import Address
    from govpool.effects.operator import Options
    from govpool.handlers import events

    async with control_plane(kubeconfig, plane_dir) as found:
        typer.echo(f"The operator (process {os.getpid()}) works on {found.what}; Ctrl-C stops it.", err=True)
        address = Address(led.http_host, led.http_port) if led.http_port is not None else None
        options = Options(
            found.kubeconfig,
            state_dir,
            language,
            election=led.timing,
            shard=led.shard,
            jobs=led.jobs,
            address=address,
            notifications=_notifications(led.notifications),
        )
        try:
            await events.run(options, liveness=liveness)
        except DeposedError as deposed:
            raise CliError(f"{deposed}; start it again to wait for the lead") from None
