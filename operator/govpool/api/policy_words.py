"""Words of a policy that more than one of its parts uses."""

from __future__ import annotations

from enum import StrEnum


class MaterialType(StrEnum):
    """A paper that an application carries (申请材料)."""

    REQUEST_LETTER = "RequestLetter"
    RESOURCE_TABLE = "ResourceTable"
    PROJECT_APPROVAL = "ProjectApproval"
    CONSTRUCTION_PLAN = "ConstructionPlan"
    MIGRATION_PLAN = "MigrationPlan"
    SECURITY_ASSESSMENT = "SecurityAssessment"
    PURCHASE_CONTRACT = "PurchaseContract"
    CHANGE_FORM = "ChangeForm"
    DEREGISTRATION_FORM = "DeregistrationForm"
    EXPERT_OPINION = "ExpertOpinion"
    DOMAIN_PLAN = "DomainPlan"
    PROTECTION_FILING = "ProtectionFiling"
    PROTECTION_ASSESSMENT = "ProtectionAssessment"
    CRYPTO_ASSESSMENT = "CryptoAssessment"
    SOFTWARE_TEST = "SoftwareTest"
    SOURCE_AUDIT = "SourceAudit"
    CLOUD_SERVICE_ASSESSMENT = "CloudServiceAssessment"
    """Of the platform (云计算服务安全评估)."""
    DOMESTIC_TECHNOLOGY = "DomesticTechnology"
    """Proof that the system rests on domestic technology (信息技术应用创新)."""
    OTHER = "Other"
