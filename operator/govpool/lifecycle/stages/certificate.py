"""Certificate (销毁证书): signed, chained and stored, or refused while anything is missing."""

from __future__ import annotations

from govpool.lifecycle.actions import IssueCertificate
from govpool.lifecycle.certificate_draft import draft, uncertified
from govpool.lifecycle.decision import StageResult
from govpool.lifecycle.naming import certificate_name
from govpool.lifecycle.stages.context import StageContext
from govpool.messages import message
from govpool.rules.certificate import missing


def decide(context: StageContext) -> StageResult:
    """Done when the certificate is stored, or when no disk ever held data."""
    revision, open_ = context.approved.revision, uncertified(context)
    stored = [
        found
        for found in context.observation.certificates
        if found.spec.deregistration and found.spec.deregistration.revision == revision
    ]
    if not open_ and stored:
        last = max(stored, key=lambda found: found.spec.issued)
        return context.done(message("CertificateIssued", number=last.spec.number), at=last.spec.issued)
    if not open_:
        return context.done(message("NothingWasHeld"), at=context.before)
    again_for = [server.metadata.name for server in open_] if stored else []
    name = certificate_name(context.request, revision, again_for)
    written = draft(context)
    if lacks := missing(written):
        told = "; ".join(f"{lack.path}: {lack.why} ({lack.source})" for lack in lacks)
        return context.failed(message("CertificateRefused", lacks=told))
    return context.waiting(
        message("CertificateIssuing"), actions=(IssueCertificate(context.request, name, written),)
    )
