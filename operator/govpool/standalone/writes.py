"""Creating, updating and deleting objects: the order of checks follows the API server's generic registry."""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Callable
from dataclasses import replace
from weakref import WeakKeyDictionary

from . import metadata
from .admission import Attempt, Policies
from .apply import Application, Fields, Writer, track_update
from .calls import (
    CRD_FINALIZER,
    DEFINITIONS,
    FOREGROUND,
    ORPHAN,
    SYSTEM,
    Call,
    DeleteOptions,
    Outcome,
    check_type,
    deleted,
    fit_namespace,
    name_mismatch,
    present,
    present_obj,
    same,
    to_storage,
    uid_mismatch,
)
from .cel import rule_errors
from .clock import Clock
from .errors import (
    ApiError,
    FieldError,
    already_exists,
    bad_request,
    conflict,
    forbidden,
    invalid,
    invalid_value,
    not_found,
)
from .kinds import OBJECT_META
from .objects import Key, Obj, encode, meta
from .resources import Registry, Resource
from .storage import Store, Stored
from .strategies import DEFAULT, STRATEGIES

_BLOCKING = frozenset(
    {"FieldValueRequired", "FieldValueTooLong", "FieldValueTooMany", "FieldValueTypeInvalid"}
)
_UNCHECKED = (
    "some validation rules were not checked because the object was invalid; correct the existing "
    "errors to complete"
    " validation"
)
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_SYSTEM_FIELDS = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds",
                  "selfLink", "resourceVersion")  # fmt: skip
_KEPT_NAMESPACES = frozenset({"default", "kube-system"})
Transform = Callable[[Obj], Obj]


class Writes:
    """All ways to change what is stored."""

    def __init__(self, store: Store, registry: Registry, clock: Clock, policies: Policies) -> None:
        self._store = store
        self._registry = registry
        self._clock = clock
        self._policies = policies
        self._fields: WeakKeyDictionary[Resource, Fields] = WeakKeyDictionary()

    # --- create --------------------------------------------------------------------------------

    async def create(self, call: Call, obj: Obj, managed: list[Obj] | None = None) -> Outcome:
        """Create an object; returns once it is on disk. Raises ApiError.

        `managed` is set by server-side apply, which has worked out the field owners already.
        """
        resource = call.resource
        check_type(call, obj)
        fit_namespace(call, meta(obj))
        if meta(obj).get("resourceVersion"):
            # upstream lets this one through as a plain 500 without a reason
            raise ApiError(500, "", "resourceVersion should not be set on objects to be created")
        if call.name and meta(obj).get("name", call.name) != call.name:
            raise bad_request(name_mismatch(meta(obj).get("name"), call.name))
        self._decode(call, obj)
        if meta(obj).get("generateName") and not meta(obj).get("name"):
            meta(obj)["name"] = self._generate(call, meta(obj)["generateName"])
        call = replace(call, name=meta(obj).get("name") or call.name)
        self._require_namespace(call)
        if self._store.head(call.key):
            raise already_exists(resource.plural, resource.group, call.name)
        self._initialise(call, obj)
        self._strategy_prepare(call, obj, None)
        self._validate(call, obj, None)
        self._admit(call, "CREATE", obj, None)
        if managed is None:
            writer = self._writer(call, "Update")
            track_update(None, obj, writer, self.fields(resource), self._clock.timestamp())
        else:
            obj["metadata"]["managedFields"] = managed
        return await self._commit(call, obj, 201)

    def _initialise(self, call: Call, obj: Obj) -> None:
        """Set the metadata that is the server's, and drop what a new object cannot have."""
        for name in (
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "selfLink",
            "generation",
            "managedFields",
        ):
            obj["metadata"].pop(name, None)
        obj["metadata"] |= {"uid": str(uuid.uuid4()), "creationTimestamp": self._clock.timestamp()}
        if call.resource.has_generation:
            obj["metadata"]["generation"] = 1
        if call.resource.status:
            obj.pop("status", None)

    async def _apply_new(self, call: Call, application: Application) -> Outcome:
        """Create an object by server-side apply."""
        obj, resource = application.config, call.resource
        if meta(obj).get("uid"):
            why = (
                f"uid mismatch: the provided object specified uid {meta(obj)['uid']}, and no existing "
                "object was found"
            )
            raise conflict(resource.plural, resource.group, call.name, why)
        applied = application.onto({"metadata": {}}, self.fields(resource))
        meta(obj)["name"] = meta(obj).get("name", call.name)
        meta(obj).pop("resourceVersion", None)
        return await self.create(call, obj, applied["metadata"].get("managedFields", []))

    def _generate(self, call: Call, prefix: str) -> str:
        """Make a free name; the suffix is as long and as readable as upstream's."""
        for _ in range(8):
            name = prefix[:58] + "".join(secrets.choice(_ALPHABET) for _ in range(5))
            if not self._store.head(Key(call.resource.storage_key, call.namespace, name)):
                return name
        raise already_exists(call.resource.plural, call.resource.group, prefix)

    # --- update --------------------------------------------------------------------------------

    async def update(
        self, call: Call, transform: Transform, *, put: bool = False, applied: bool = False
    ) -> Outcome:
        """Change an existing object; `transform` gets a copy of what is there. Raises ApiError.

        `put` demands what a whole new object must carry; `applied` says that field owners are worked out
        already.
        """
        resource, head = call.resource, self._store.head(call.key)
        if head is None:
            raise not_found(resource.plural, resource.group, call.name)
        old, new = present_obj(head, resource), transform(present_obj(head, resource))
        check_type(call, new)
        fit_namespace(call, meta(new))
        if put and meta(new).get("name") != call.name:
            raise bad_request(name_mismatch(meta(new).get("name"), call.name))
        self._check_version(call, old, new, put=put)
        self._decode(call, new)
        self._split(call, old, new)
        self._strategy_prepare(call, new, old)
        self._bump(call, old, new)
        self._validate(call, new, old)
        self._admit(call, "UPDATE", new, old)
        if not applied:
            writer = self._writer(call, "Update")
            track_update(old, new, writer, self.fields(resource), self._clock.timestamp())
        if same(new, old):
            return Outcome(200, present(head, resource), old)
        if "deletionTimestamp" in new["metadata"] and not new["metadata"].get("finalizers"):
            return await self._finish(call, new)
        return await self._commit(call, new, 200)

    async def apply(self, call: Call, application: Application) -> Outcome:
        """Server-side apply onto an existing object or, where there is none, a new one."""
        check_type(call, application.config)
        prepared = self._application(application, call)
        if self._store.head(call.key) is None:
            if call.subresource:
                raise not_found(call.resource.plural, call.resource.group, call.name)
            return await self._apply_new(call, prepared)
        fields = self.fields(call.resource)
        return await self.update(call, lambda live: prepared.onto(live, fields), applied=True)

    def _application(self, application: Application, call: Call) -> Application:
        if meta(application.config).get("managedFields"):
            raise bad_request("metadata.managedFields must be nil")
        return replace(application, writer=self._writer(call, "Apply"), now=self._clock.timestamp())

    def _check_version(self, call: Call, old: Obj, new: Obj, *, put: bool) -> None:
        resource, wanted = call.resource, meta(new).get("resourceVersion")
        if put and not wanted and resource.custom:
            error = invalid_value("metadata.resourceVersion", 0, "must be specified for an update")
            raise invalid(resource.kind, resource.group, call.name, [error])
        uid = meta(new).get("uid")
        if uid and uid != old["metadata"]["uid"]:
            if not put:
                error = invalid_value("metadata.uid", uid, "field is immutable")
                raise invalid(resource.kind, resource.group, call.name, [error])
            raise conflict(
                resource.plural, resource.group, call.name, uid_mismatch(uid, old["metadata"]["uid"])
            )
        if wanted and wanted != old["metadata"]["resourceVersion"]:
            raise conflict(resource.plural, resource.group, call.name)

    def _split(self, call: Call, old: Obj, new: Obj) -> None:
        """Keep the server's own fields, and the half that this request does not write."""
        if call.subresource == "status":
            status, managed = new.get("status"), new["metadata"].get("managedFields")
            new.clear()
            new.update(json.loads(json.dumps(old)))
            if status is None:
                new.pop("status", None)
            else:
                new["status"] = status
            new["metadata"].pop("managedFields", None)
            if managed is not None:
                new["metadata"]["managedFields"] = managed
        elif call.resource.status:
            new.pop("status", None)
            if "status" in old:
                new["status"] = json.loads(json.dumps(old["status"]))
        for name in _SYSTEM_FIELDS:
            new["metadata"].pop(name, None)
            if name in old["metadata"]:
                new["metadata"][name] = old["metadata"][name]
        new["metadata"] = {k: v for k, v in new["metadata"].items() if v not in ({}, [])}

    def _bump(self, call: Call, old: Obj, new: Obj) -> None:
        """Count a change of the desired state in metadata.generation."""
        resource = call.resource
        if not resource.has_generation or call.subresource == "status":
            return
        ignored = {"metadata", "status"} if resource.status else {"metadata"}
        before = {k: v for k, v in old.items() if k not in ignored}
        if {k: v for k, v in new.items() if k not in ignored} != before:
            new["metadata"]["generation"] = int(old["metadata"].get("generation", 0)) + 1

    # --- delete --------------------------------------------------------------------------------

    async def delete(self, call: Call, options: DeleteOptions) -> Outcome:
        """Delete an object, or mark it when finalizers or dependents must be dealt with first."""
        resource, head = call.resource, self._store.head(call.key)
        if head is None:
            raise not_found(resource.plural, resource.group, call.name)
        self._check_preconditions(call, head, options)
        if resource.storage_key == "namespaces" and call.name in _KEPT_NAMESPACES:
            raise forbidden("namespaces", "", call.name, "this namespace may not be deleted")
        old = present_obj(head, resource)
        self._admit(call, "DELETE", None, old)
        new = present_obj(head, resource)
        finalizers = self._delete_finalizers(call, new, options)
        held = resource.storage_key == "namespaces"
        if not finalizers and not held:
            if call.dry_run:
                return Outcome(200, encode(deleted(call, head)))
            _, done = self._store.remove(call.key)
            await done
            return Outcome(200, encode(deleted(call, head)))
        new["metadata"]["finalizers"] = finalizers
        if not finalizers:
            new["metadata"].pop("finalizers")
        self._mark(call, new)
        if same(new, old):
            return Outcome(200, present(head, resource), old)
        return await self._commit(call, new, 200)

    def _mark(self, call: Call, new: Obj) -> None:
        if "deletionTimestamp" in new["metadata"]:
            return
        new["metadata"] |= {"deletionTimestamp": self._clock.timestamp(), "deletionGracePeriodSeconds": 0}
        if "generation" in new["metadata"]:
            new["metadata"]["generation"] += 1
        if call.resource.storage_key == "namespaces":
            new.setdefault("status", {})["phase"] = "Terminating"

    @staticmethod
    def _delete_finalizers(call: Call, obj: Obj, options: DeleteOptions) -> list[str]:
        found = [f for f in obj["metadata"].get("finalizers") or () if f not in (FOREGROUND, ORPHAN)]
        kept = [f for f in obj["metadata"].get("finalizers") or () if f in (FOREGROUND, ORPHAN)]
        if options.propagation:
            kept = {"Foreground": [FOREGROUND], "Orphan": [ORPHAN]}.get(options.propagation, [])
        if call.resource.storage_key == DEFINITIONS and CRD_FINALIZER not in found:
            found.append(CRD_FINALIZER)
        return found + kept

    def _check_preconditions(self, call: Call, head: Stored, options: DeleteOptions) -> None:
        resource = call.resource
        named = resource.kind if resource.custom else resource.plural
        if options.uid and options.uid != head.uid:
            why = (
                f"the UID in the precondition ({options.uid}) does not match the UID in record ({head.uid})."
                " The object might have been deleted and then recreated"
            )
            raise conflict(named, resource.group, call.name, why)
        if options.resource_version and options.resource_version != str(head.rv):
            why = (
                f"the ResourceVersion in the precondition ({options.resource_version}) does not match the"
                f" ResourceVersion in record ({head.rv}). The object might have been modified"
            )
            raise conflict(named, resource.group, call.name, why)

    async def _finish(self, call: Call, new: Obj) -> Outcome:
        """The last finalizer is gone: the object goes with it."""
        if call.dry_run:
            return Outcome(200, encode(new), new)
        if call.resource.storage_key == "namespaces":
            return await self._commit(call, new, 200)
        _, done = self._store.remove(call.key)
        await done
        return Outcome(200, encode(new), new)

    # --- steps ---------------------------------------------------------------------------------

    def fields(self, resource: Resource) -> Fields:
        """Return what field ownership needs to know of a resource."""
        found = self._fields.get(resource)
        if found is None:
            properties = (resource.schema_node.get("properties") or {}) | {"metadata": OBJECT_META}
            node = resource.schema_node | {"properties": properties}
            found = self._fields[resource] = Fields(node, resource.status)
        return found

    @staticmethod
    def _writer(call: Call, operation: str) -> Writer:
        return Writer(call.manager, operation, call.resource.api_version, call.subresource)

    def _require_namespace(self, call: Call) -> None:
        """An object may only be made in a namespace that exists and stays."""
        if not call.resource.namespaced:
            return
        namespace = self._store.head(Key("namespaces", "", call.namespace))
        if namespace is None:
            raise not_found("namespaces", "", call.namespace)
        if namespace.deleting:
            why = f"unable to create new content in namespace {call.namespace} because it is being terminated"
            cause = {
                "reason": "NamespaceTerminating",
                "message": f"namespace {call.namespace} is being terminated",
                "field": "metadata.namespace",
            }
            raise forbidden(call.resource.plural, call.resource.group, call.name, why, [cause])

    def _decode(self, call: Call, obj: Obj) -> None:
        """Drop unknown fields, saying so as the request asked for, and fill in defaults."""
        resource = call.resource
        unknown = resource.schema.prune(obj)
        unknown += metadata.decode(obj, resource.kind, resource.version)
        if resource.storage_key == DEFINITIONS:
            from .crd import prepare

            unknown += prepare(obj)
        self._report(call, [f'unknown field "{path}"' for path in unknown])
        resource.schema.default(obj)

    @staticmethod
    def _report(call: Call, problems: list[str]) -> None:
        if not problems or call.validation == "Ignore":
            return
        if call.validation == "Strict":
            resource = call.resource
            raise bad_request(
                f'{resource.kind} in version "{resource.version}" cannot be handled as a '
                f"{resource.kind}: strict"
                f" decoding error: {', '.join(problems)}"
            )
        call.warnings.extend(problems)

    def _strategy_prepare(self, call: Call, obj: Obj, old: Obj | None) -> None:
        strategy = STRATEGIES.get(call.resource.storage_key, DEFAULT)
        if call.subresource != "status":
            strategy.prepare(obj, old, self._clock.timestamp(), self._registry)

    def _validate(self, call: Call, obj: Obj, old: Obj | None) -> None:
        resource = call.resource
        errors = metadata.errors(resource, obj)
        if old is not None:
            errors += metadata.update_errors(old, obj)
        errors += self._schema_errors(resource, obj, old)
        if any(e.reason in _BLOCKING for e in errors):
            if resource.rules:
                errors.append(invalid_value("<nil>", None, _UNCHECKED))
        else:
            errors += rule_errors(resource.rules, obj, old)
        if call.subresource != "status":
            errors += STRATEGIES.get(resource.storage_key, DEFAULT).check(obj, old)
        if errors:
            raise invalid(resource.kind, resource.group, obj["metadata"].get("name", ""), errors)

    @staticmethod
    def _schema_errors(resource: Resource, obj: Obj, old: Obj | None) -> list[FieldError]:
        """Validate; on an update what was already wrong and stays as it is does not count (ratcheting)."""
        errors = resource.schema.errors(obj)
        if errors and old is not None:
            known = {str(e) for e in resource.schema.errors(old)}
            errors = [e for e in errors if str(e) not in known]
        return errors

    def _admit(self, call: Call, operation: str, obj: Obj | None, old: Obj | None) -> None:
        if call.user is SYSTEM:
            return
        attempt = Attempt(call.user, call.resource, operation, call.namespace, call.name, call.subresource,
            obj, old,
                          call.dry_run)  # fmt: skip
        call.warnings.extend(self._policies.check(attempt))

    async def _commit(self, call: Call, obj: Obj, code: int) -> Outcome:
        if call.dry_run:
            return Outcome(code, encode(obj), obj)
        saved = to_storage(obj, call.resource)
        stored, done = self._store.put(call.key, saved)
        await done
        obj["metadata"]["resourceVersion"] = str(stored.rv)
        return Outcome(code, present(stored, call.resource), obj)

    async def system_write(self, key: Key, change: Callable[[Obj], bool]) -> None:
        """Change an object on the control plane's own account; `change` says whether it changed anything."""
        head = self._store.head(key)
        if head is None:
            return
        obj = head.load()
        if not change(obj):
            return
        gone = "deletionTimestamp" in obj["metadata"] and not obj["metadata"].get("finalizers")
        if gone and key.storage != "namespaces":
            _, done = self._store.remove(key)
        else:
            _, done = self._store.put(key, obj)
        await done

    async def system_remove(self, key: Key) -> None:
        """Remove an object at once, if it is still there."""
        if self._store.head(key):
            _, done = self._store.remove(key)
            await done
