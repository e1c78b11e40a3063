"""How an operator is run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from govpool.effects.endpoint import Address
from govpool.effects.jobs.manifests import JobSettings
from govpool.effects.notify.config import NotifyConfig
from govpool.lifecycle.leadership import Timing
from govpool.lifecycle.sharding import WHOLE, Shard
from govpool.messages import Language

WORKERS = 32
"""Keys that are reconciled at once."""


@dataclass(frozen=True, slots=True)
class Options:
    """How an operator is run."""

    kubeconfig: Path | None
    state_dir: Path
    language: Language = "en"
    workers: int = WORKERS
    election: Timing | None = None
    """Timing of the Lease around the operator; None: nothing elects a leader, as where it is alone."""
    jobs: JobSettings | None = None
    """How work orders become Jobs; None: they run beside the operator."""
    shard: Shard = WHOLE
    """Which namespaces it keeps."""
    address: Address | None = None
    """Where health and metrics are served; None: nowhere."""
    notifications: NotifyConfig | None = None
    """Whom it tells what, and how; None: nobody."""
