"""What executors that run playbooks have in common."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from pydantic import JsonValue

from govpool.api.cloudserver import CloudServer
from govpool.api.workorder import ServerResult
from govpool.effects import access
from govpool.effects.executors.base import OrderContext, OrderResult
from govpool.effects.playbooks import PlaybookResult, PlaybookRun, Target, TaskResult, run_playbook
from govpool_providers.base import SanitiserDevice
from govpool_providers.errors import ErrorCode, ProviderError

LOCALHOST = "localhost"


async def targets(context: OrderContext) -> dict[str, Target]:
    """The order's servers for a playbook, by name; a server without an address is left out.

    Raises:
        ProviderError: Unauthorised when the keys to a server are gone.
    """
    found: dict[str, Target] = {}
    for server in context.servers:
        address = first_address(server)
        if address is not None:
            keys = await access.known_keys(context.kube, server)
            if keys is None:
                raise ProviderError(
                    ErrorCode.UNAUTHORISED,
                    f"the keys to {server.metadata.name} are gone: after its handover nobody here gets in",
                )
            found[server.metadata.name] = keys.target(server.metadata.name, address)
    return found


def first_address(server: CloudServer) -> str | None:
    """The address that the operator reaches the server by."""
    return server.status.addresses[0] if server.status and server.status.addresses else None


async def sanitisers(context: OrderContext, devices: Mapping[str, SanitiserDevice]) -> tuple[Target, ...]:
    """The trusted sanitiser (净化机) for a playbook, once for each disk, under the disk's key: so Ansible
    works on several disks at once, and tells of each by its name.

    Raises:
        KubeError: the API server, which keeps the keys to a sanitiser that is a machine of its own.
    """
    if not remote(devices):
        return tuple(Target(key, LOCALHOST, "root", "", "", connection="local") for key in devices)
    keys = await access.sanitiser_keys(context.kube, context.pool.metadata.name)
    return tuple(keys.target(key, device.host) for key, device in devices.items())


def remote(devices: Mapping[str, SanitiserDevice]) -> bool:
    """Whether the sanitiser is another machine than the operator's own."""
    return any(device.host != LOCALHOST for device in devices.values())


def place(context: OrderContext, devices: Mapping[str, SanitiserDevice], name: str) -> dict[str, JsonValue]:
    """Where the playbook ``name`` keeps its state, and which Python runs it: this one, or the sanitiser's.

    On a sanitiser of its own the role's default folder is on its root disk.
    """
    if remote(devices):
        return {"ansible_python_interpreter": "/usr/bin/python3"}
    return {
        f"{name}_state_dir": str(context.state_dir / name),
        "ansible_python_interpreter": sys.executable,
    }


async def play(context: OrderContext, run: PlaybookRun) -> PlaybookResult:
    """Run a playbook, telling people which task it is at."""

    def told(task: TaskResult) -> None:
        context.progress(f"{task.host}: {task.task}"[:200])

    return await run_playbook(run, state_dir=context.state_dir / "runs", on_task=told)


def broken(result: PlaybookResult) -> OrderResult | None:
    """What to answer when the run itself did not come to an end: the same order is run again."""
    if result.status in ("timeout", "lost"):
        return OrderResult(False, f"the run was {result.status}: {result.message}", again=True)
    if result.unreachable_hosts:
        hosts = ", ".join(sorted(result.unreachable_hosts))
        return OrderResult(False, f"not reached: {hosts}", again=True)
    if result.status == "failed" and not result.failed_hosts:
        return OrderResult(False, f"the playbook did not start: {result.message}", again=True)
    return None


def first_failure(result: PlaybookResult, host: str) -> str:
    """The message of a host's first failed task."""
    failed = (t for t in result.tasks if t.host == host and t.outcome == "failed" and not t.ignored)
    task = next(failed, None)
    if task is None:
        return result.message
    text: JsonValue = task.result.get("msg", "")
    return f"{task.task}: {text}"[:1000]


def server_failed(name: str, message: str) -> ServerResult:
    """A server for which it did not work."""
    return ServerResult(server=name, ok=False, message=message[:4000])
