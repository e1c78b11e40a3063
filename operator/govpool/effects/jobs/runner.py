"""The runner's side: carry one order out, with nothing but what came along, and report."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import cast

from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_random_exponential

from govpool.api.workorder import DiskResult, ServerResult
from govpool.effects import secrets
from govpool.effects.clock import MovableClock
from govpool.effects.executors.base import OrderContext, OrderResult
from govpool.effects.executors.registry import executor
from govpool.effects.jobs.manifests import report_names
from govpool.effects.jobs.parcels import (
    REPORT_KEY,
    SEAL_KEY,
    Parcel,
    Progress,
    Report,
    parts,
    reported,
    seal,
    unpack,
)
from govpool.effects.kube import Json, Kube, KubeError
from govpool.effects.pools import Pool, factory
from govpool_providers.base import PoolConnection, Provider
from govpool_providers.errors import ProviderError

log = logging.getLogger(__name__)
PATIENCE = 600.0
"""Seconds for which a report that the API server does not take is sent again: the work is done, and only
the report tells it.
"""
TELL_EVERY = 5.0


class SealedKube(Kube):
    """An API server that has nothing but the Secrets that came along, and takes nothing."""

    def __init__(self, held: Mapping[str, Mapping[str, str]]) -> None:
        self._held = held

    # What is refused need not be repeated, as the ordinary one is.
    async def _request(  # type: ignore[override]
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = "application/json",
    ) -> Json:
        raise KubeError(403, "Forbidden", f"{method} {path}: a run only reaches what came along with it")

    async def core_get(self, plural: str, namespace: str, name: str) -> Json | None:
        """A Secret that came along, or None."""
        if plural != "secrets" or namespace != secrets.NAMESPACE or name not in self._held:
            return None
        data = {key: base64.b64encode(value.encode()).decode() for key, value in self._held[name].items()}
        return cast(Json, {"metadata": {"name": name}, "data": data})


class Reporter:
    """Writes the report of one run."""

    def __init__(self, kube: Kube, namespace: str, name: str, servers: int) -> None:
        self._kube, self._namespace = kube, namespace
        self._names = report_names(name, servers)
        self._told = ""
        self.progress = ""

    async def _patch(self, name: str, body: Json) -> None:
        tries = AsyncRetrying(
            retry=retry_if_exception(lambda error: isinstance(error, KubeError) and error.passing),
            stop=stop_after_delay(PATIENCE),
            wait=wait_random_exponential(multiplier=0.5, max=15),
            reraise=True,
        )
        path = f"/api/v1/namespaces/{self._namespace}/configmaps/{name}"
        await tries(self._kube.merge_path, path, body)

    async def record(
        self, servers: tuple[ServerResult, ...] = (), disks: tuple[DiskResult, ...] = ()
    ) -> None:
        """See :class:`govpool.effects.executors.base.Recorder`. The operator takes it over from here."""
        document = Progress(servers=servers, disks=disks).model_dump_json(by_alias=True)
        await self._patch(self._names[0], {"data": {"record": document}})

    async def tell(self) -> None:
        """Tell the progress now and then, until cancelled; that it could not be told matters to nobody."""
        while True:
            await asyncio.sleep(TELL_EVERY)
            if (said := self.progress) == self._told:
                continue
            path = f"/api/v1/namespaces/{self._namespace}/configmaps/{self._names[0]}"
            try:
                await self._kube.merge_path(path, {"data": {"progress": said}})
                self._told = said
            except KubeError as error:
                log.info("the progress was not told: %s", error)

    async def report(self, report: Report) -> None:
        """Write the report; the seal goes last, with the first piece.

        Raises:
            KubeError: it was not taken.
            ValueError: it is larger than all ConfigMaps together.
        """
        pieces = parts(report)
        if len(pieces) > len(self._names):
            raise ValueError(f"the report needs {len(pieces)} ConfigMaps, and has {len(self._names)}")
        for name, piece in reversed(list(zip(self._names, pieces, strict=False))):
            body: Json = {"binaryData": {REPORT_KEY: base64.b64encode(piece).decode()}}
            if name == self._names[0]:
                body["data"] = {SEAL_KEY: seal(pieces)}
            await self._patch(name, body)


async def run_order(order: Path, namespace: str, name: str, state_dir: Path, kubeconfig: Path | None) -> None:
    """Carry out the order in the file and report to the ConfigMap ``name``.

    Raises:
        OSError: the order can't be read.
        ValueError: it is none, or its report can't be sent.
        KubeError: the report was not taken.
    """
    parcel = unpack(await asyncio.to_thread(order.read_bytes))
    kube = await Kube.connect(kubeconfig)
    try:
        reporter = Reporter(kube, namespace, name, len(parcel.servers))
        telling = asyncio.create_task(reporter.tell())
        try:
            context = context_of(parcel, state_dir, reporter)
            result = await execute(context)
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
        await reporter.report(reported(result, context.evidence_dir))
        log.info("%s: %s", context.order.metadata.name, "done" if result.succeeded else result.message)
    finally:
        await kube.close()


def context_of(parcel: Parcel, state_dir: Path, reporter: Reporter) -> OrderContext:
    """The executor's context out of a parcel."""
    return OrderContext(
        order=parcel.order,
        request=parcel.request,
        servers=parcel.servers,
        policy=parcel.policy,
        pool=parcel.pool,
        quota=parcel.quota,
        provider=_pool(parcel),
        kube=SealedKube(parcel.secrets),
        clock=MovableClock(timedelta(seconds=parcel.ahead_seconds)),
        state_dir=state_dir,
        progress=lambda text: setattr(reporter, "progress", text),
        record=reporter.record,
    )


class _NoPool:
    """Stands where a run has no business with the pool, and got no credentials of it."""


def _pool(parcel: Parcel) -> Pool:
    name, connection = parcel.pool.metadata.name, parcel.pool.spec.connection
    if parcel.pool_secret is None:
        return Pool(name, cast(Provider, _NoPool()))
    settings = {**connection.settings, **({"cloud": connection.cloud} if connection.cloud else {})}
    opened = factory(connection.provider)(PoolConnection(name, settings, parcel.pool_secret))
    return Pool(name, opened)


async def execute(context: OrderContext) -> OrderResult:
    """What came of it; whatever goes wrong is a result as well, so that it is told."""
    carry_out = executor(context.order.spec.work, context.pool)
    if carry_out is None:
        return OrderResult(False, f"nobody carries out {context.order.spec.work.value} orders here")
    try:
        return await carry_out(context)
    except ProviderError as error:
        return OrderResult(False, f"{error.code}: {error.message}", again=not error.final)
    except KubeError as error:
        return OrderResult(False, str(error), again=True)
    except Exception as error:
        log.exception("%s", context.order.metadata.name)
        return OrderResult(False, f"{type(error).__name__}: {error}", again=True)
