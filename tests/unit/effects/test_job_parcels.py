"""What goes between the operator and a runner: whole, checked, and no more than needed."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from effects_ground import order_of, policy_of, pool_of, request_of, server_of
from pydantic import ValidationError

from govpool.api.workorder import Evidence, ServerResult
from govpool.effects.executors.base import OrderContext, OrderResult
from govpool.effects.executors.evidence import keep
from govpool.effects.jobs import parcels
from govpool.effects.jobs.manifests import USER, JobSettings, belongings, job, report_names
from govpool.effects.jobs.parcels import (
    Parcel,
    Report,
    joined,
    pack,
    parts,
    reported,
    result_of,
    seal,
    unpack,
)
from govpool.effects.jobs.pod import RunnerPod
from govpool.effects.jobs.runner import SealedKube
from govpool.effects.kube import KubeError
from govpool.effects.secrets import NAMESPACE, read

SETTINGS = JobSettings("registry.test/runner@sha256:1")


def parcel() -> Parcel:
    return Parcel(
        order=order_of(),
        request=request_of(),
        servers=(server_of(),),
        policy=policy_of(),
        pool=pool_of(),
        secrets={"access-a": {"operatorPrivateKey": "very secret"}},
    )


def place(folder: Path) -> OrderContext:
    """An operator's folder of evidence; nothing else is asked for."""
    folder.mkdir()
    return cast(OrderContext, SimpleNamespace(evidence_dir=folder))


def test_a_job_s_user_reads_what_a_kubelet_mounts_and_keys_lie_in_a_folder_of_its_own() -> None:
    """A Secret's files are root's and an emptyDir is open to all: as a real node makes them."""
    pod = cast(Any, job(SETTINGS, "run-a", order_of()))["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    (secret,) = [volume["secret"] for volume in pod["volumes"] if "secret" in volume]
    recipe = (Path(__file__).parents[3] / "Containerfile").read_text(encoding="utf-8")
    user = {key: pod["securityContext"][key] for key in ("runAsUser", "runAsGroup", "fsGroup")}
    assert set(user.values()) == {USER}
    assert f"USER {USER}:{USER}" in recipe
    assert secret["defaultMode"] == 0o440
    keys = {item["name"]: item["value"] for item in container["env"]}["GOVPOOL_RUNTIME_DIR"]
    mounted = [mount["mountPath"] for mount in container["volumeMounts"]]
    assert keys not in mounted and str(Path(keys).parent) in mounted


ADDED = """{
  "imagePullSecrets": [{"name": "registry"}], "nodeSelector": {"zone": "east"},
  "tolerations": [{"key": "runs", "operator": "Exists"}], "priorityClassName": "low",
  "resources": {"limits": {"memory": "2Gi"}}, "env": [{"name": "SSL_CERT_FILE", "value": "/etc/site/ca.crt"}],
  "volumes": [{"name": "site", "configMap": {"name": "site"}}],
  "volumeMounts": [{"name": "site", "mountPath": "/etc/site", "readOnly": true}]
}"""


def test_a_site_adds_to_the_pods_of_its_jobs_and_takes_nothing_away() -> None:
    def pod(settings: JobSettings) -> Any:
        return cast(Any, job(settings, "run-a", order_of()))["spec"]["template"]["spec"]

    plain, more = pod(SETTINGS), pod(replace(SETTINGS, pod=RunnerPod.parse(ADDED)))
    (before,), (after,) = plain.pop("containers"), more.pop("containers")
    asked = json.loads(ADDED)
    for key in ("imagePullSecrets", "nodeSelector", "tolerations", "priorityClassName"):
        assert key not in plain and more.pop(key) == asked[key]
    assert more.pop("volumes") == [*plain.pop("volumes"), *asked["volumes"]]
    assert more == plain, "who it is and what it may do stays"
    assert after.pop("resources") == asked["resources"] != before.pop("resources")
    assert after.pop("env") == [*before.pop("env"), *asked["env"]]
    assert after.pop("volumeMounts") == [*before.pop("volumeMounts"), *asked["volumeMounts"]]
    assert after == before


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"securityContext": {"runAsUser": 0}}', "securityContext"),
        ('{"nodeSelector": ["zone"]}', "nodeSelector"),
        ("{", "the whole"),
    ],
)
def test_what_a_site_can_t_add_is_refused_by_name(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        RunnerPod.parse(text)


def test_a_parcel_arrives_as_it_was_packed() -> None:
    before = parcel()
    assert unpack(pack(before)) == before
    assert pack(before) == pack(before), "the same for the same: an adopted Secret is not another one"


def test_a_parcel_does_not_show_its_secrets() -> None:
    assert "very secret" not in repr(parcel())


@pytest.mark.parametrize(
    "broken",
    [
        b'{"secrets": {"keys": {"private": ["TOP-SECRET"]}}, "later": "TOP-SECRET"}',
        b'{"secrets": {"keys": {"private": "TOP-SECRET',
    ],
)
def test_what_is_wrong_with_a_parcel_is_told_without_what_is_in_it(broken: bytes) -> None:
    with pytest.raises(ValidationError) as told:
        unpack(gzip.compress(broken))
    assert "TOP-SECRET" not in str(told.value)


def test_evidence_comes_into_the_operators_own_folder(tmp_path: Path) -> None:
    there = tmp_path / "runner"
    there.mkdir()
    page = keep(there, "page.html", b"<p>met</p>")
    result = OrderResult(True, evidence=(page,), servers=(ServerResult(server="a", ok=True),))
    report = Report.model_validate_json(reported(result, there).model_dump_json(by_alias=True))
    taken = result_of(report, place(tmp_path / "own"))
    assert taken.succeeded and taken.servers == result.servers
    assert taken.evidence == (page.model_copy(update={"place": str(tmp_path / "own" / "page.html")}),)
    assert (tmp_path / "own" / "page.html").read_bytes() == b"<p>met</p>"


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("page.html", b"altered", "is not what"),
        ("../page.html", b"<p>", "no evidence"),
        ("more", b"", "no evi"),
    ],
)
def test_what_is_not_the_evidence_is_refused(tmp_path: Path, name: str, content: bytes, why: str) -> None:
    digest = hashlib.sha256(b"<p>").hexdigest()
    report = Report(
        succeeded=True,
        evidence=(Evidence(name="page.html", sha256=digest, place="/runner/page.html"),),
        files={name: base64.b64encode(content).decode()},
    )
    with pytest.raises(ValueError, match=why):
        result_of(report, place(tmp_path / "own"))
    assert list(tmp_path.rglob("page.html")) == []


def test_a_large_report_goes_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parcels, "PART_BYTES", 100)
    report = Report(succeeded=False, message=hashlib.sha512(b"x").hexdigest() * 4)
    pieces = parts(report)
    sealed = seal(pieces)
    assert len(pieces) > 1
    assert joined(sealed, pieces) == report
    assert joined(sealed, [*pieces, b"of an earlier report"]) == report
    assert joined(sealed, pieces[:-1]) is None, "a piece is still to come"
    assert joined(sealed, [b"", *pieces[1:]]) is None


def test_a_job_asks_for_what_a_restricted_namespace_allows() -> None:
    made: Any = job(SETTINGS, "baseline-r1-abc-1", order_of())
    spec = made["spec"]
    assert spec["suspend"] is True and spec["backoffLimit"] == 0
    assert spec["activeDeadlineSeconds"] == 3600 and spec["ttlSecondsAfterFinished"] == 86400
    pod = spec["template"]["spec"]
    assert pod["restartPolicy"] == "Never" and pod["serviceAccountName"] == "baseline-r1-abc-1"
    (container,) = pod["containers"]
    security = container["securityContext"]
    assert security["capabilities"] == {"drop": ["ALL"]} and security["readOnlyRootFilesystem"]
    assert not security["allowPrivilegeEscalation"] and pod["securityContext"]["runAsNonRoot"]
    assert not any("secret" in argument for argument in container["args"])


def test_what_belongs_to_a_job_goes_with_it() -> None:
    made: Any = job(SETTINGS, "wipe-r1-abc-1", order_of(work="Wipe"))
    made["metadata"]["uid"] = "job-uid"
    found: Any = belongings(SETTINGS, made, b"content", servers=85)
    assert [plural for plural, _ in found] == ["serviceaccounts", "secrets", *["configmaps"] * 3]
    assert {owner["uid"] for _, body in found for owner in body["metadata"]["ownerReferences"]} == {"job-uid"}
    assert report_names("wipe-r1-abc-1", 85) == ["wipe-r1-abc-1", "wipe-r1-abc-1.1", "wipe-r1-abc-1.2"]


async def test_a_run_has_the_secrets_that_came_along_and_nothing_else() -> None:
    sealed = SealedKube({"access-a": {"key": "value"}})
    assert await read(sealed, "access-a") == {"key": "value"}
    assert await read(sealed, "access-b") is None
    with pytest.raises(KubeError, match="came along") as refused:
        await sealed.core_create("secrets", NAMESPACE, {})
    assert refused.value.status == 403
