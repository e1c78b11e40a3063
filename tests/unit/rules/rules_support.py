"""The shipped policies and examples as models, and small builders for what the tests vary."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from govpool.api.cloudpolicy import ApplicationType, CloudPolicy, CloudPolicySpec
from govpool.api.cloudpool import CloudPool
from govpool.api.cloudresourcerequest import CloudResourceRequest, RequestContent
from govpool.api.servicecatalog import ServiceCatalog
from govpool.api.tenantquota import TenantQuota
from govpool.rules.admission import admit
from govpool.rules.refusal import Refusal
from govpool.rules.revision import content_of

ROOT = Path(__file__).parents[3]
SHANGHAI = ZoneInfo("Asia/Shanghai")
Obj = dict[str, Any]


def at(text: str) -> datetime:
    """``2026-11-23 09:00`` or ``2026-11-23`` in Shanghai."""
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def end_of(day: str) -> datetime:
    return at(f"{day} 23:59:59")


@cache
def documents(path: str) -> tuple[Obj, ...]:
    return tuple(yaml.safe_load_all((ROOT / path).read_text(encoding="utf-8")))


def document(path: str, kind: str, name: str = "") -> Obj:
    return next(
        d for d in documents(path) if d.get("kind") == kind and (not name or d["metadata"]["name"] == name)
    )


def policy(name: str = "yiyang-2025", **changed: Any) -> CloudPolicy:
    """A shipped policy, with fields of its spec (by Python name) replaced by what they are in a manifest."""
    shipped = CloudPolicy.model_validate(document(f"policies/{name}.yaml", "CloudPolicy"))
    spec = shipped.spec.model_dump(by_alias=True) | {
        CloudPolicySpec.model_fields[field].alias: value for field, value in changed.items()
    }
    return shipped.model_copy(update={"spec": CloudPolicySpec.model_validate(spec)})


def rules(name: str = "yiyang-2025", **changed: Any) -> CloudPolicySpec:
    return policy(name, **changed).spec


BOZHOU_CHANGE = {"majorAbovePercent": 50, "majorArticle": "22", "article": "22"}
JINAN_CHANGE = {"newItemsAreMajor": True, "newItemsArticle": "17", "article": "17"}
BOZHOU_TEMPORARY = {"maxDuration": "P3M", "extensionLead": {"workingDays": 7}, "article": "22"}


def catalog() -> ServiceCatalog:
    return ServiceCatalog.model_validate(document("examples/01-supply.yaml", "ServiceCatalog"))


def pool(name: str = "local-pool", **changed: Any) -> CloudPool:
    manifest = document("examples/01-supply.yaml", "CloudPool", name)
    return CloudPool.model_validate(manifest | {"spec": manifest["spec"] | changed})


def quota(status: Obj | None = None, **changed: Any) -> TenantQuota:
    manifest = document("examples/02-unit.yaml", "TenantQuota")
    manifest = manifest | {"spec": manifest["spec"] | changed}
    return TenantQuota.model_validate(manifest | ({"status": status} if status else {}))


def merged(target: Any, patch: Any) -> Any:
    """RFC 7396, as ``kubectl patch --type merge`` does it."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def request(patch: Obj | None = None, *, approved: RequestContent | None = None) -> CloudResourceRequest:
    """The example application with a merge patch of its spec; ``approved`` is what is in force."""
    manifest = document("examples/03-request.yaml", "CloudResourceRequest")
    manifest = merged(manifest, {"spec": patch or {}})
    if approved is not None:
        manifest["status"] = {
            "approved": {
                "revision": 1,
                "application": "New",
                "approval": "doc-approval-1",
                "submissionHash": "0" * 64,
                "content": approved.model_dump(mode="json", by_alias=True),
                "at": "2026-11-21T09:00:00Z",
            }
        }
    return CloudResourceRequest.model_validate(manifest)


def content(patch: Obj | None = None) -> RequestContent:
    return content_of(request(patch).spec)


def group(name: str = "app", count: int = 1, item: str = "ecs-1c1g", gib: int = 1, **more: Any) -> Obj:
    disks = [{"name": "data", "sizeGiB": gib, "volumeClass": "evs-standard"}]
    return {"name": name, "count": count, "item": item, "image": "debian-12", "dataDisks": disks} | more


NOW = at("2026-11-23 09:00")


def refusals(
    patch: Obj | None = None,
    application: ApplicationType = ApplicationType.NEW,
    *,
    approved: RequestContent | None = None,
    now: datetime = NOW,
    **instead: Any,
) -> dict[str, Refusal]:
    """What admission has against the example with a patch, by reason."""
    given = {"policy": policy(), "catalog": catalog(), "pool": pool(), "quota": quota()} | instead
    found = admit(request(patch, approved=approved), application, now=now, **given)
    return {refusal.reason: refusal for refusal in found}
