"""The operator's side: an executor that makes a Job, waits for its report, and takes the evidence in.

The Job is known by a name that the order's status holds before the Job is made, and holds until a result is
written: an operator that takes over meets the same Job and goes on waiting for it; it is never run twice.
One that is gone without a report is tried again under another name, once none of its Pods is at work.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar, cast

from govpool.api.workorder import WorkOrderKind
from govpool.effects import access, secrets
from govpool.effects.executors import wipe
from govpool.effects.executors.base import Executor, OrderContext, OrderResult
from govpool.effects.jobs.manifests import JobSettings, belongings, job, report_names
from govpool.effects.jobs.parcels import (
    REPORT_KEY,
    SEAL_KEY,
    Parcel,
    Progress,
    Report,
    joined,
    pack,
    result_of,
)
from govpool.effects.kube import Json, KubeError
from govpool.lifecycle.naming import job_name
from govpool_providers.base import RemoteSanitiser

T = TypeVar("T")

log = logging.getLogger(__name__)
POLL = 2.0
"""Seconds between two looks at a Job; only while one runs."""
LONGEST_WAIT = 30.0
"""Seconds between two questions to an API server that does not answer, or refuses."""
LONGEST_SAYING = 300
"""Characters of a lost run's last line that are told."""
LOOKS_FOR_POD = 15
"""Looks in vain after which it is told that there is no Pod."""
BEGINS = ("ContainerCreating", "PodInitializing", None)
"""Why a container waits that is about to begin."""
JOB_LABEL = "batch.kubernetes.io/job-name"
"""What the Job controller labels a Job's Pods with."""
ON_DISKS = (WorkOrderKind.BACKUP, WorkOrderKind.WIPE)


def executor(settings: JobSettings, here: Executor) -> Executor:
    """Carries an order out as a Job, or here what no Job can do."""

    async def either(context: OrderContext) -> OrderResult:
        if possible(context):
            return await carry_out(context, settings)
        log.info(
            "%s is carried out here: its disks are attached to this machine", context.order.metadata.name
        )
        return await here(context)

    return either


def possible(context: OrderContext) -> bool:
    """Whether a Job can do it: disks that are attached to the operator's own machine are only there.

    A fixture pool without a file is in the operator's memory; one with a file is where the Jobs mount it.
    """
    if context.order.spec.work not in ON_DISKS:
        return True
    connection = context.pool.spec.connection
    simulated = connection.provider == "fixture" and bool(connection.settings.get("state"))
    return simulated or isinstance(context.provider.provider, RemoteSanitiser)


async def carry_out(context: OrderContext, settings: JobSettings) -> OrderResult:
    """Run the order as a Job; its result is as if it had been run here.

    Whatever the API server says meanwhile, it does not end before the Job has: a Job that goes on while its
    order is tried again would be a second run beside the first.

    Raises:
        ValueError: the order has no Job on record.
    """
    name = context.order.status.job if context.order.status else None
    if name is None:
        raise ValueError(f"{context.order.metadata.name} has no Job on record: it must be there first")
    made = _Job(context, settings, name)
    try:
        report = await made.wait() if await made.begun() else None
        result = result_of(report, context) if report is not None else None
    except ValueError as error:
        result, made.why = None, f"its report is not to be used: {error}"
    except KubeError as error:
        # Refused before it was let go: nothing of it runs, and nothing shall be left.
        return OrderResult(False, str(error), again=True, afterwards=(made.remove,))
    if result is None:
        await made.over()
        return OrderResult(
            False, f"Job {settings.namespace}/{name} ended without a report: {made.why}", again=True
        )
    afterwards = [made.remove]
    if context.order.spec.work is WorkOrderKind.HANDOVER and result.succeeded:
        afterwards.insert(0, made.forget_keys)
    return replace(result, afterwards=tuple(afterwards))


class _Job:
    """One Job, made or met."""

    def __init__(self, context: OrderContext, settings: JobSettings, name: str) -> None:
        self._context, self._settings, self._name = context, settings, name
        self._kube = context.kube
        self._uid = ""
        self._recorded = ""
        status = context.order.status
        first = job_name(context.order.spec.run_key, status.attempts if status else 0)
        self._may_have_run = name != first
        """Whether it may have run already: an earlier attempt put it on record, or it was let go."""
        self._at_it = False
        """Whether its container was seen to have begun."""
        self._without_pod, self._held_up = 0, ""
        self.why = "it was deleted"
        jobs = f"/apis/batch/v1/namespaces/{settings.namespace}/jobs"
        self._jobs, self._path = jobs, f"{jobs}/{name}"

    async def _answered(self, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer, however long it takes. Raises KubeError: the question itself is refused."""
        wait = POLL
        while True:
            try:
                return await ask()
            except KubeError as error:
                if not (error.passing or error.conflict):
                    raise
                self._context.progress(f"waits for the API server: {error}")
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT)

    async def _insisted(self, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer, also where it is refused now: somebody must mend that, and the Job goes on."""
        while True:
            try:
                return await self._answered(ask)
            except KubeError as error:
                log.warning("Job %s goes on, and can't be seen: %s", self._name, error)
                self._context.progress(f"Job {self._name} goes on, and can't be seen: {error}")
            await asyncio.sleep(LONGEST_WAIT)

    # -- to begin ---------------------------------------------------------------------------------
    async def begun(self) -> bool:
        """Make the Job, or meet the one that is there, and let it run; False when it ran and is gone.

        Raises:
            KubeError: refused, and it does not run.
        """
        try:
            return await self._answered(self._begin)
        except KubeError:
            if not self._may_have_run:
                raise
        return await self._insisted(self._begin)

    async def _begin(self) -> bool:
        found = await self._get()
        if found is None and self._may_have_run:
            return False
        if found is None:
            try:
                found = await self._kube.post_path(
                    self._jobs, job(self._settings, self._name, self._context.order)
                )
            except KubeError as error:
                if not error.exists:
                    raise
                found = await self._kube.get_path(self._path)
        self._uid = str(cast(Json, found["metadata"])["uid"])
        if not cast(Json, found["spec"]).get("suspend"):
            return True
        content = pack(await _parcel(self._context))
        for plural, body in belongings(self._settings, found, content, len(self._context.servers)):
            try:
                await self._kube.core_create(plural, self._settings.namespace, body)
            except KubeError as error:
                if not error.exists:
                    raise
        before, self._may_have_run = self._may_have_run, True
        try:
            await self._kube.merge_path(
                self._path, {"metadata": {"uid": self._uid}, "spec": {"suspend": False}}
            )
        except KubeError as error:
            # Refused is not done; without an answer it may be.
            self._may_have_run = before or error.passing
            raise
        return True

    async def _get(self) -> Json | None:
        try:
            return await self._kube.get_path(self._path)
        except KubeError as error:
            if error.absent:
                return None
            raise

    # -- to wait ----------------------------------------------------------------------------------
    async def wait(self) -> Report | None:
        """The run's report; None when it ended without one."""
        while True:
            # In this order: what is seen to have ended has reported all that it ever will.
            ended = await self._insisted(self._ended)
            report = await self._insisted(self._look)
            if report is None and ended and (said := await self._insisted(self._last_words)):
                self.why += f"; it said last: {said}"
            if report is not None or ended:
                return report
            if not self._at_it:
                await self._look_at_pod()
            await asyncio.sleep(POLL)

    async def _ended(self) -> bool:
        found = await self._get()
        if found is None or cast(Json, found["metadata"])["uid"] != self._uid:
            return True
        status = cast(Json, found.get("status") or {})
        for condition in cast("list[dict[str, str]]", status.get("conditions") or []):
            if condition["type"] in ("Complete", "Failed") and condition["status"] == "True":
                self.why = condition.get("reason") or condition["type"]
                if message := condition.get("message"):
                    self.why += f": {message}"
                return True
        return False

    async def _look(self) -> Report | None:
        names = report_names(self._name, len(self._context.servers))
        first = await self._kube.core_get("configmaps", self._settings.namespace, names[0])
        if first is None:
            return None
        data = cast("dict[str, str]", first.get("data") or {})
        if "progress" in data:
            self._context.progress(data["progress"])
        if (record := data.get("record", "")) != self._recorded:
            told = Progress.model_validate_json(record)
            await self._context.record(told.servers, told.disks)
            self._recorded = record
        if SEAL_KEY not in data:
            return None
        further = names[1 : int(data[SEAL_KEY].split()[0])]
        pieces = [first, *[await self._part(name) for name in further]]
        contents = [cast("dict[str, str]", one.get("binaryData") or {}).get(REPORT_KEY, "") for one in pieces]
        return joined(data[SEAL_KEY], [base64.b64decode(content) for content in contents])

    async def _part(self, name: str) -> Json:
        return await self._kube.core_get("configmaps", self._settings.namespace, name) or {}

    # -- it does not begin ------------------------------------------------------------------------
    async def _look_at_pod(self) -> None:
        """Tell what keeps it from beginning; that this could not be found out matters to nobody."""
        try:
            pods = await self._pods()
        except KubeError as error:
            log.info("the Pod of Job %s can't be seen: %s", self._name, error)
            return
        self._without_pod = 0 if pods else self._without_pod + 1
        held_up = ""
        if self._without_pod > LOOKS_FOR_POD:
            held_up = f"Job {self._name} has no Pod: kubectl describe job tells why"
        for pod in pods:
            self._at_it, held_up = beginning(pod)
        if held_up != self._held_up:
            self._context.progress(held_up)
            self._held_up = held_up

    # -- it is lost -------------------------------------------------------------------------------
    async def over(self) -> None:
        """Delete what is left of it, and return once no Pod of it can be at work any more.

        A deleted Job's Pod has its time of grace, and one on a node that does not answer may work for long.
        """
        await self._insisted(self.remove)
        while at_work := await self._insisted(self._at_work):
            self._context.progress(f"waits until Pod {at_work[0]} of lost Job {self._name} has ended")
            await asyncio.sleep(POLL)

    async def _pods(self) -> list[Json]:
        query = {"labelSelector": f"{JOB_LABEL}={self._name}"}
        pods = await self._kube.get_path(f"/api/v1/namespaces/{self._settings.namespace}/pods", query)
        return cast("list[Json]", pods["items"])

    async def _at_work(self) -> list[str]:
        return [
            str(cast(Json, pod["metadata"])["name"])
            for pod in await self._pods()
            if cast(Json, pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
        ]

    async def _last_words(self) -> str:
        """The last line that a run without a report wrote; its log goes with its Pod."""
        for pod in await self._pods():
            status = cast(Json, pod.get("status") or {})
            for container in cast("list[Json]", status.get("containerStatuses") or []):
                state = cast("dict[str, dict[str, str]]", container.get("state") or {})
                lines = state.get("terminated", {}).get("message", "").splitlines()
                if said := [line.strip() for line in lines if line.strip()]:
                    return said[-1][:LONGEST_SAYING]
        return ""

    # -- afterwards -------------------------------------------------------------------------------
    async def remove(self) -> None:
        """Delete the Job with all that belongs to it; that it is gone is success."""
        if self._uid:
            await self._kube.remove_path(self._path, self._uid)

    async def forget_keys(self) -> None:
        """After a handover the keys open nothing, and nobody shall try."""
        for server in self._context.servers:
            await access.forget(self._kube, server)


def beginning(pod: Json) -> tuple[bool, str]:
    """Whether a Pod's container has begun, and else what keeps it from that, where Kubernetes says so."""
    name = cast(Json, pod["metadata"])["name"]
    status = cast(Json, pod.get("status") or {})
    for container in cast("list[Json]", status.get("containerStatuses") or []):
        state = cast("dict[str, dict[str, str]]", container.get("state") or {})
        waiting = state.get("waiting")
        if waiting is None:
            return True, ""
        if waiting.get("reason") not in BEGINS:
            return False, f"Pod {name} can't begin: {waiting.get('reason')}: {waiting.get('message', '')}"
    for condition in cast("list[dict[str, str]]", status.get("conditions") or []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return False, f"Pod {name} has no node: {condition.get('message', condition.get('reason', ''))}"
    return False, ""


async def _parcel(context: OrderContext) -> Parcel:
    """All that the run needs, and no more: credentials of the pool only for work on disks."""
    on_disks = context.order.spec.work in ON_DISKS
    return Parcel(
        order=context.order,
        request=context.request,
        servers=context.servers,
        policy=context.policy,
        pool=context.pool,
        quota=context.quota,
        ahead_seconds=context.clock.ahead.total_seconds(),
        pool_secret=dict(context.provider.connection.secret) if on_disks else None,
        secrets=await _secrets(context),
    )


async def _secrets(context: OrderContext) -> dict[str, dict[str, str]]:
    names: list[str] = []
    work = context.order.spec.work
    if work in (WorkOrderKind.BASELINE, WorkOrderKind.HANDOVER):
        names += [access.secret_name(server) for server in context.servers]
    if work in ON_DISKS and isinstance(context.provider.provider, RemoteSanitiser):
        pool = context.pool.metadata.name
        await access.sanitiser_keys(context.kube, pool)
        names.append(access.sanitiser_secret_name(pool))
    if work is WorkOrderKind.WIPE:
        await wipe.sealed(context.kube, context.order.spec.run_key)
        names.append(wipe.secret_name(context.order.spec.run_key))
    if work is WorkOrderKind.BACKUP and context.pool.spec.backup is not None:
        names.append(context.pool.spec.backup.password_ref.name)
    found = {name: await secrets.read(context.kube, name) for name in names}
    return {name: values for name, values in found.items() if values is not None}
