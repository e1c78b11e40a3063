"""One module per stage, each with one pure function ``decide(context) -> StageResult``.

The policy says in which order they stand; :data:`STAGES` says which function belongs to which name. The
stages from Completeness to Review are decided by people on an Approval: :mod:`govpool.rules.approvals`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from govpool.api.cloudpolicy import Stage
from govpool.lifecycle.decision import StageResult
from govpool.lifecycle.stages import (
    agreement,
    backup,
    baseline,
    certificate,
    confirmation,
    handover,
    provision,
    quota,
    reclaim,
    reports,
    right_sizing,
    termination,
    trial,
    wipe,
)
from govpool.lifecycle.stages.context import StageContext

STAGES: Mapping[Stage, Callable[[StageContext], StageResult]] = {
    Stage.QUOTA: quota.decide,
    Stage.PROVISION: provision.decide,
    Stage.BASELINE: baseline.decide,
    Stage.HANDOVER: handover.decide,
    Stage.TRIAL: trial.decide,
    Stage.REPORTS: reports.decide,
    Stage.RIGHT_SIZING: right_sizing.decide,
    Stage.AGREEMENT: agreement.decide,
    Stage.CONFIRMATION: confirmation.decide,
    Stage.BACKUP: backup.decide,
    Stage.WIPE: wipe.decide,
    Stage.RECLAIM: reclaim.decide,
    Stage.TERMINATION: termination.decide,
    Stage.CERTIFICATE: certificate.decide,
}
