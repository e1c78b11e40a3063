"""What the OpenStack provider makes of answers and settings; the rest is tested on a real one."""

from __future__ import annotations

import json

import pytest
import requests
from keystoneauth1 import exceptions as keystone

from govpool_providers.base import OverwriteProof, Owner, PoolConnection
from govpool_providers.errors import ErrorCode, ProviderError
from govpool_providers.openstack import faults, tags
from govpool_providers.openstack.settings import Ingress, OpenStackSettings, Spread


def answer(status: int, body: object, **headers: str) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response._content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return response


NOVA_QUOTA = {
    "forbidden": {"code": 403, "message": "Quota exceeded for cores: Requested 2, but already used 20"}
}
NOVA_PORTS = {"forbidden": {"code": 403, "message": "Maximum number of ports exceeded"}}
NOVA_POLICY = {"forbidden": {"code": 403, "message": "Policy doesn't allow os_compute_api:servers:create"}}
CINDER_QUOTA = {
    "overLimit": {"code": 413, "message": "VolumeLimitExceeded: Maximum number of volumes allowed"}
}
CINDER_STATE = {"badRequest": {"code": 400, "message": "Invalid volume: Volume status must be available"}}
NEUTRON_QUOTA = {"NeutronError": {"type": "OverQuota", "message": "Quota exceeded for resources: ['port']."}}
NEUTRON_IN_USE = {"NeutronError": {"type": "SecurityGroupInUse", "message": "Security Group in use."}}


@pytest.mark.parametrize(
    ("status", "body", "acting", "looking"),
    [
        (403, NOVA_QUOTA, ErrorCode.QUOTA_EXCEEDED, ErrorCode.QUOTA_EXCEEDED),
        (403, NOVA_PORTS, ErrorCode.QUOTA_EXCEEDED, ErrorCode.QUOTA_EXCEEDED),
        (413, CINDER_QUOTA, ErrorCode.QUOTA_EXCEEDED, ErrorCode.QUOTA_EXCEEDED),
        (409, NEUTRON_QUOTA, ErrorCode.QUOTA_EXCEEDED, ErrorCode.QUOTA_EXCEEDED),
        (409, NEUTRON_IN_USE, ErrorCode.CONFLICT, ErrorCode.CONFLICT),
        (403, NOVA_POLICY, ErrorCode.UNAUTHORISED, ErrorCode.UNAUTHORISED),
        (401, {"error": {"message": "expired"}}, ErrorCode.UNAUTHORISED, ErrorCode.UNAUTHORISED),
        (400, CINDER_STATE, ErrorCode.CONFLICT, ErrorCode.CONFLICT),
        (400, {"badRequest": {"message": "Invalid flavor"}}, ErrorCode.INVALID, ErrorCode.INVALID),
        (404, {"itemNotFound": {"message": "no"}}, ErrorCode.NOT_FOUND, ErrorCode.NOT_FOUND),
        (410, "gone", ErrorCode.NOT_FOUND, ErrorCode.NOT_FOUND),
        (409, {"conflictingRequest": {"message": "busy"}}, ErrorCode.CONFLICT, ErrorCode.CONFLICT),
        (429, "slow down", ErrorCode.RETRYABLE, ErrorCode.RETRYABLE),
        (500, "Internal Server Error", ErrorCode.RETRYABLE, ErrorCode.UNREACHABLE),
        (502, "<html>", ErrorCode.UNREACHABLE, ErrorCode.UNREACHABLE),
        (503, "", ErrorCode.UNREACHABLE, ErrorCode.UNREACHABLE),
    ],
)
def test_every_status_has_its_code(status: int, body: object, acting: ErrorCode, looking: ErrorCode) -> None:
    assert faults.of_response(answer(status, body), "POST compute/servers", looking=False).code is acting
    assert faults.of_response(answer(status, body), "GET compute/servers", looking=True).code is looking


def test_the_services_own_words_and_wishes_are_told() -> None:
    error = faults.of_response(answer(413, CINDER_QUOTA, Retry_After="7"), "POST volume", looking=False)
    assert error.message.startswith("POST volume: VolumeLimitExceeded: ")
    assert error.message.endswith("(HTTP 413)")
    assert error.retry_after == 7
    assert "OverQuota: Quota" in faults.of_response(answer(409, NEUTRON_QUOTA), "x", looking=False).message


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (keystone.Unauthorized("no"), ErrorCode.UNAUTHORISED),
        (keystone.MissingRequiredOptions([]), ErrorCode.UNAUTHORISED),
        (keystone.Forbidden("no"), ErrorCode.UNAUTHORISED),
        (keystone.ConnectFailure("refused"), ErrorCode.UNREACHABLE),
        (keystone.ConnectTimeout("late"), ErrorCode.UNREACHABLE),
        (keystone.EndpointNotFound("compute"), ErrorCode.UNREACHABLE),
        (requests.ConnectionError("cut"), ErrorCode.UNREACHABLE),
    ],
)
def test_without_an_answer_nothing_is_known(error: Exception, code: ErrorCode) -> None:
    assert faults.of_exception(error, "GET compute/servers").code is code


def settings(**given: str) -> OpenStackSettings:
    return OpenStackSettings.of(
        PoolConnection("pool", {key.replace("__", "."): v for key, v in given.items()})
    )


def test_settings_have_careful_defaults() -> None:
    read = settings()
    assert read.spread is Spread.SOFT
    assert read.overwrite is OverwriteProof.COPY_ON_WRITE
    assert read.ingress_of("business") == (Ingress("tcp", 22, "0.0.0.0/0"),)
    assert not read.create_flavors
    assert not read.limited
    assert settings(capacity__vcpu="0").limited


@pytest.mark.parametrize(
    "given",
    [
        {"password": "x"},
        {"application_credential_secret": "x"},
        {"ingress": "tcp:0"},
        {"ingress": "22"},
        {"spread": "somewhere"},
        {"in_flight": "0"},
        {"capacity__vcpu": "-1"},
        {"create_flavors": "perhaps"},
        {"wait": "long"},
    ],
    ids=str,
)
def test_settings_that_cannot_be_are_invalid(given: dict[str, str]) -> None:
    with pytest.raises(ProviderError) as caught:
        settings(**given)
    assert caught.value.code is ErrorCode.INVALID
    assert "pool" in caught.value.message


def test_a_secret_is_not_shown_by_the_settings() -> None:
    connection = PoolConnection("pool", {"auth_url": "u"}, {"username": "name", "password": "hidden-word"})
    read = OpenStackSettings.of(connection)
    assert read.auth == {"auth_url": "u", "username": "name", "password": "hidden-word"}
    assert "hidden-word" not in repr(read)


def test_a_tag_fits_nova_however_long_the_name() -> None:
    assert tags.pool_tag("city") == "govpool-pool-city"
    long = {tags.pool_tag("p" * 63), tags.pool_tag("p" * 62)}
    assert len(long) == 2
    assert all(len(tag) <= tags.TAG_LIMIT for tag in long)
    assert not set("/,") & set(tags.request_tag("a/b,c"))


def test_an_owner_is_read_back_from_metadata() -> None:
    owner = Owner("uid", "批复系统", "bureau", 7)
    assert tags.owner_of(tags.of_owner(owner)) == owner
    assert tags.owner_of({tags.REVISION: "seven"}) == Owner("", "", "", 0)
