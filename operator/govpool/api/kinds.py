"""Every kind of ``govpool.dev/v1alpha1``, in the order in which their CRDs are shown."""

from __future__ import annotations

from govpool.api.approval import Approval
from govpool.api.auditrecord import AuditRecord
from govpool.api.base import Resource
from govpool.api.baselinereport import BaselineReport
from govpool.api.cloudpolicy import CloudPolicy
from govpool.api.cloudpool import CloudPool
from govpool.api.cloudresourcerequest import CloudResourceRequest
from govpool.api.cloudserver import CloudServer
from govpool.api.rectificationnotice import RectificationNotice
from govpool.api.servicecatalog import ServiceCatalog
from govpool.api.tenantquota import TenantQuota
from govpool.api.wipecertificate import WipeCertificate
from govpool.api.workorder import WorkOrder

KINDS: tuple[type[Resource], ...] = (
    CloudPolicy,
    ServiceCatalog,
    CloudPool,
    TenantQuota,
    CloudResourceRequest,
    Approval,
    WorkOrder,
    CloudServer,
    BaselineReport,
    WipeCertificate,
    RectificationNotice,
    AuditRecord,
)


def by_kind(kind: str) -> type[Resource]:
    """The kind of that name (``CloudPool``). Raises KeyError for a name that is none of ours."""
    return _BY_KIND[kind]


def by_plural(plural: str) -> type[Resource]:
    """The kind of that plural (``cloudpools``). Raises KeyError for a name that is none of ours."""
    return _BY_PLURAL[plural]


_BY_KIND = {kind.DEFINITION.kind: kind for kind in KINDS}
_BY_PLURAL = {kind.DEFINITION.plural: kind for kind in KINDS}
