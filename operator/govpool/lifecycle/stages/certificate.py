"""Certificate (销毁证书): signed, chained and stored, or refused while anything is missing."""

from __future__ import annotations

from govpool.lifecycle.actions import IssueCertificate
from govpool.lifecycle.certificate_draft import draft, held_anything
from govpool.lifecycle.decision import StageResult
from govpool.lifecycle.naming import certificate_name
from govpool.lifecycle.stages.context import StageContext
from govpool.messages import message
from govpool.rules.certificate import missing


def decide(context: StageContext) -> StageResult:
    """Done when the certificate is stored, or when no disk ever held data."""
    name = certificate_name(context.request, context.approved.revision)
    stored = next((c for c in context.observation.certificates if c.metadata.name == name), None)
    if stored is not None:
        return context.done(message("CertificateIssued", number=stored.spec.number), at=stored.spec.issued)
    if not held_anything(context):
        return context.done(message("NothingWasHeld"), at=context.before)
    written = draft(context)
    if lacks := missing(written):
        told = "; ".join(f"{lack.path}: {lack.why} ({lack.source})" for lack in lacks)
        return context.failed(message("CertificateRefused", lacks=told))
    return context.waiting(
        message("CertificateIssuing"), actions=(IssueCertificate(context.request, name, written),)
    )
