"""The API server as the commands use it: who am I, what time is it there, find by name, apply, watch."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar, cast

import yaml

from govpool.api.base import GROUP, VERSION, Resource, Scope
from govpool.cli.errors import CliError
from govpool.effects.clock import CLOCK_PATH
from govpool.effects.kube import Json, Kube, KubeError

R = TypeVar("R", bound=Resource)
MANAGER = "govpool"
APPLY = "application/apply-patch+yaml"
MERGE_PATCH = "application/merge-patch+json"
_ATTEMPTS = 8
_PLURAL = {"CloudPolicy": "cloudpolicies", "ValidatingAdmissionPolicy": "validatingadmissionpolicies"}


class Api(Kube):
    """A connection of one user."""

    namespace: str | None = None
    """The namespace that the kubeconfig's context names."""

    async def whoami(self) -> str:
        """The name that the server knows this user by (authentication.k8s.io SelfSubjectReview)."""
        body: Json = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        answer = await self.post_path("/apis/authentication.k8s.io/v1/selfsubjectreviews", body)
        status = cast(dict[str, dict[str, str]], answer["status"])
        return status["userInfo"]["username"]

    async def now(self) -> datetime:
        """The control plane's own time where it has one, else this machine's; whole seconds, UTC."""
        try:
            document = await self.get_path(CLOCK_PATH)
        except KubeError as error:
            if error.status not in (401, 403, 404, 405):
                raise
            return datetime.now(UTC).replace(microsecond=0)
        return datetime.fromisoformat(str(document["now"])).astimezone(UTC).replace(microsecond=0)

    async def find(self, kind: type[R], name: str, namespace: str | None) -> R:
        """An object by name: in the namespace given, in the context's, else in whichever has it.

        Raises:
            CliError: several namespaces have one of that name, or none has.
            KubeError: the server refused to tell.
        """
        wanted = namespace or self.namespace
        if wanted is not None or kind.DEFINITION.scope is Scope.CLUSTER:
            return await self.get(kind, name, wanted)
        found = [item for item in await self.list(kind) if item.metadata.name == name]
        if len(found) > 1:
            places = ", ".join(item.metadata.namespace for item in found)
            raise CliError(
                f"{kind.DEFINITION.kind} {name} is in several namespaces ({places}): choose with -n"
            )
        if not found:
            raise KubeError(404, "NotFound", f"there is no {kind.DEFINITION.kind} {name} in any namespace")
        return found[0]

    async def change(self, kind: type[R], resource: R, alter: Callable[[R], Json]) -> R:
        """Merge-patch an object only if nobody wrote it since it was read.

        A status that was written meanwhile is no reason to stop: the change is worked out anew from the
        newest version, and whatever makes it wrong by then is an error of ``alter``.
        """
        current = resource
        for _ in range(_ATTEMPTS):
            body = alter(current)
            body["metadata"] = {
                **cast(Json, body.get("metadata") or {}),
                "resourceVersion": current.metadata.resource_version,
            }
            try:
                return await self.merge(current, body)
            except KubeError as error:
                if not error.conflict:
                    raise
            current = await self.get(kind, resource.metadata.name, resource.metadata.namespace or None)
            if current.metadata.uid != resource.metadata.uid:
                break
        raise CliError(
            f"{resource.metadata.name} is written by somebody all the time: look again, then repeat"
        )

    async def merge_status(self, resource: R, status: Json) -> R:
        """A JSON merge patch of the status."""
        meta = resource.metadata
        place = f"/namespaces/{meta.namespace}" if meta.namespace else ""
        plural = resource.DEFINITION.plural
        path = f"/apis/{GROUP}/{VERSION}{place}/{plural}/{meta.name}/status"
        body: Json = {"metadata": {"uid": meta.object_uid}, "status": status}
        answer = await self._request("PATCH", path, body=body, content_type=MERGE_PATCH)
        return type(resource).model_validate(answer)

    # -- manifests --------------------------------------------------------------------------------
    async def apply(self, document: Json) -> Json:
        """Server-side apply; what others set in the same fields is taken over."""
        path = _path_of(document)
        query = {"fieldManager": MANAGER, "force": "true"}
        return await self._request("PATCH", path, query, document, APPLY)

    async def established(self, name: str) -> bool:
        """Whether the CustomResourceDefinition is served."""
        path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"
        document = await self.get_path(path)
        conditions = cast(
            list[dict[str, str]], cast(Json, document.get("status") or {}).get("conditions") or []
        )
        return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)

    # -- watching ---------------------------------------------------------------------------------
    async def watch(
        self,
        kind: type[R],
        *,
        namespace: str | None = None,
        name: str | None = None,
        labels: str | None = None,
    ) -> AsyncIterator[tuple[str, R]]:
        """Every object as ADDED, then what happens to it, without end; taken up again when a stream breaks.

        Raises:
            KubeError: the server refuses (it is not only away for a moment).
        """
        query = {"fieldSelector": f"metadata.name={name}"} if name else {}
        query |= {"labelSelector": labels} if labels else {}
        place = f"/namespaces/{namespace}" if namespace else ""
        path = f"/apis/{GROUP}/{VERSION}{place}/{kind.DEFINITION.plural}"
        while True:
            # A watch without a resourceVersion begins with what there is.
            try:
                async for line in self.stream(path, {**query, "watch": "1"}):
                    event = json.loads(line)
                    if event["type"] in ("ADDED", "MODIFIED", "DELETED"):
                        yield event["type"], kind.model_validate(event["object"])
            except KubeError as error:
                if not error.passing:
                    raise
            await asyncio.sleep(0.2)


@asynccontextmanager
async def connected(kubeconfig: Path | None) -> AsyncIterator[Api]:
    """A connection that is closed at the end."""
    api = cast(Api, await Api.connect(kubeconfig))
    api.namespace = context_namespace(kubeconfig)
    try:
        yield api
    finally:
        await api.close()


def context_namespace(kubeconfig: Path | None) -> str | None:
    """The namespace of the kubeconfig's current context; None when it names none."""
    if kubeconfig is None:
        return None
    document = yaml.safe_load(kubeconfig.read_text())
    if not isinstance(document, dict):
        raise CliError(f"{kubeconfig} is no kubeconfig")
    current = document.get("current-context")
    contexts = {item.get("name"): item.get("context") or {} for item in document.get("contexts") or []}
    namespace = contexts.get(current, {}).get("namespace")
    return str(namespace) if namespace else None


def documents(path: Path) -> list[Json]:
    """The manifests of a file, or of every YAML file in a folder, in the order of their names."""
    files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    return [cast(Json, found) for file in files for found in yaml.safe_load_all(file.read_text()) if found]


def _path_of(document: Json) -> str:
    kind, version = str(document["kind"]), str(document["apiVersion"])
    metadata = cast(dict[str, str], document["metadata"])
    plural = _PLURAL.get(kind, f"{kind.lower()}s")
    base = "/api/v1" if version == "v1" else f"/apis/{version}"
    place = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    return f"{base}{place}/{plural}/{metadata['name']}"
