"""What a cluster does with Jobs, for a control plane that has no nodes: each becomes a process.

It plays the Job controller and the kubelet: waits until the Job may run, makes a token for its service
account, lays its Secret out as files, runs the container's command, and writes down how it ended. It ends a
Job that is deleted or takes too long, as a cluster does.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml

from govpool.effects.kube import Json, Kube, KubeError

NAMESPACE = "govpool-runs"
JOBS = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"


@dataclass
class Run:
    """A Job's process."""

    job: dict[str, Any]
    process: asyncio.subprocess.Process
    log: Path


@dataclass
class Cluster:
    """Runs the Jobs of one control plane, each in one Pod, which is there as long as its process."""

    admin: Kube
    kubeconfig: Path
    folder: Path
    runs: list[Run] = field(default_factory=list)
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    """Processes are begun while it is set."""
    grace: asyncio.Event = field(default_factory=asyncio.Event)
    """The process of a deleted Job is ended while it is set; a node may take its time with that."""
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                await self._look()
                await asyncio.sleep(0.1)
        finally:
            self.grace.set()
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _look(self) -> None:
        await self.hold.wait()
        listed = await self.admin.get_path(JOBS)
        present: dict[str, dict[str, Any]] = {
            item["metadata"]["uid"]: item for item in cast("list[dict[str, Any]]", listed["items"])
        }
        for uid, job in present.items():
            finished = any(c["status"] == "True" for c in (job.get("status") or {}).get("conditions") or ())
            if uid not in self._tasks and not job["spec"].get("suspend") and not finished:
                self._tasks[uid] = asyncio.create_task(self._play(job))
        for uid, task in self._tasks.items():
            # Once: a second one would cut short its time of grace.
            if uid not in present and not task.done() and not task.cancelling():
                task.cancel()

    async def _play(self, job: dict[str, Any]) -> None:
        name = job["metadata"]["name"]
        place = self.folder / f"{name}-{job['metadata']['uid'][:6]}"
        place.mkdir(parents=True)
        pod = f"{name}-{job['metadata']['uid'][:6]}"
        labels: Json = {"batch.kubernetes.io/job-name": name}
        metadata: Json = {"name": pod, "labels": labels}
        await self.admin.post_path(PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata})
        try:
            reason = await self._watch_over(job, place)
        finally:
            with contextlib.suppress(KubeError):
                await self.admin.delete_path(f"{PODS}/{pod}")
        kind = "Failed" if reason else "Complete"
        condition: Json = {"type": kind, "status": "True", "reason": reason or "CompletionsReached"}
        with contextlib.suppress(KubeError):
            await self.admin.merge_path(f"{JOBS}/{name}/status", {"status": {"conditions": [condition]}})

    async def _watch_over(self, job: dict[str, Any], place: Path) -> str:
        """Why it failed; empty when it did not."""
        beginning = asyncio.ensure_future(self._begin(job, place))
        try:
            process = await asyncio.shield(beginning)
        except asyncio.CancelledError:
            await _end(await beginning)
            raise
        self.runs.append(Run(job, process, place / "log"))
        try:
            async with asyncio.timeout(job["spec"]["activeDeadlineSeconds"]):
                return "BackoffLimitExceeded" if await process.wait() else ""
        except TimeoutError:
            return "DeadlineExceeded"
        except asyncio.CancelledError:
            await self.grace.wait()
            raise
        finally:
            await _end(process)

    async def _begin(self, job: dict[str, Any], place: Path) -> asyncio.subprocess.Process:
        pod = job["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        folders = {mount["name"]: place / mount["name"] for mount in container["volumeMounts"]}
        for volume in pod["volumes"]:
            # As a kubelet does: open to all, and root's where the Pod is somebody else's.
            folders[volume["name"]].mkdir()
            folders[volume["name"]].chmod(0o777)
            if "secret" in volume:
                readable = volume["secret"]["defaultMode"] & 0o004 or pod["securityContext"].get("fsGroup")
                assert readable, "a Secret's files are root's: they are for the others, or for fsGroup"
                await self._lay_out(volume["secret"]["secretName"], folders[volume["name"]])
        paths = {mount["mountPath"]: str(folders[mount["name"]]) for mount in container["volumeMounts"]}
        mounts = re.compile("|".join(re.escape(path) for path in sorted(paths, key=len, reverse=True)))

        def here(text: str) -> str:
            return mounts.sub(lambda found: paths[found[0]], text)

        env = {"PATH": os.environ["PATH"], "KUBECONFIG": str(await self._account(pod, place))}
        env |= {item["name"]: here(item["value"]) for item in container["env"]}
        with (place / "log").open("wb") as log:
            return await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "govpool.cli.main",
                *(here(one) for one in container["args"]),
                env=env,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def _lay_out(self, name: str, folder: Path) -> None:
        secret = await self.admin.core_get("secrets", NAMESPACE, name)
        assert secret is not None, f"Secret {name} is mounted and not there"
        for key, value in cast("dict[str, str]", secret["data"]).items():
            (folder / key).write_bytes(base64.b64decode(value))

    async def _account(self, pod: dict[str, Any], place: Path) -> Path:
        """A kubeconfig with a token of the Pod's service account."""
        name = pod["serviceAccountName"]
        request: Json = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": 3600},
        }
        answer = await self.admin.post_path(
            f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{name}/token", request
        )
        config = yaml.safe_load(self.kubeconfig.read_text())
        config["users"][0]["user"] = {"token": cast("dict[str, str]", answer["status"])["token"]}
        path = place / "kubeconfig"
        path.write_text(json.dumps(config))
        return path


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


@contextlib.asynccontextmanager
async def cluster(admin: Kube, kubeconfig: Path, folder: Path) -> AsyncIterator[Cluster]:
    """A cluster that runs Jobs meanwhile; what goes wrong with it goes wrong here."""
    await admin.ensure_namespace(NAMESPACE)
    made = Cluster(admin, kubeconfig, folder)
    made.hold.set()
    made.grace.set()
    task = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        if task.done():
            task.result()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
