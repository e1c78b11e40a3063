"""The built-in resources, as data: the fields that the API server knows, with what `kubectl explain` says.

Field names, types and list keys follow the Kubernetes API reference; the descriptions are our own.
"""

from __future__ import annotations

from .objects import Obj
from .resources import Column, Resource


def _string(description: str = "", **more: object) -> Obj:
    return {"type": "string", "description": description, **more}


def _integer(description: str = "", **more: object) -> Obj:
    return {"type": "integer", "description": description, **more}


def _boolean(description: str = "") -> Obj:
    return {"type": "boolean", "description": description}


def _time(description: str = "") -> Obj:
    return {"type": "string", "format": "date-time", "nullable": True, "description": description}


def _struct(description: str = "", required: tuple[str, ...] = (), /, **fields: Obj) -> Obj:
    node: Obj = {"type": "object", "description": description, "properties": fields}
    return node | {"required": list(required)} if required else node


def _map(value: Obj, description: str = "") -> Obj:
    return {"type": "object", "description": description, "additionalProperties": value}


def _list(items: Obj, description: str = "", keys: tuple[str, ...] = (), kind: str = "atomic") -> Obj:
    node: Obj = {"type": "array", "description": description, "items": items, "x-kubernetes-list-type": kind}
    if keys:
        node |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}
    return node


def _any(description: str = "") -> Obj:
    return {"description": description, "type": "object", "x-kubernetes-preserve-unknown-fields": True}


def _free(description: str = "") -> Obj:
    return {"description": description, "x-kubernetes-preserve-unknown-fields": True}


_OWNER = _struct(
    "An object that this one depends on.",
    ("apiVersion", "kind", "name", "uid"),
    apiVersion=_string("API version of the owner."),
    kind=_string("Kind of the owner."),
    name=_string("Name of the owner."),
    uid=_string("UID of the owner."),
    controller=_boolean("Whether the owner is the managing controller."),
    blockOwnerDeletion=_boolean("Whether foreground deletion of the owner waits for this object."),
)
OBJECT_META: Obj = _struct(
    "What every stored object carries beside its content.",
    name=_string("Name, unique within its namespace; cannot be changed."),
    generateName=_string("Prefix from which the server makes a unique name when no name is given."),
    namespace=_string("Namespace of the object."),
    selfLink=_string("No longer filled in."),
    uid=_string("Unique in time and space, set by the server."),
    resourceVersion=_string("Opaque version for optimistic concurrency and watches, set by the server."),
    generation=_integer("Counts changes of the desired state, set by the server.", format="int64"),
    creationTimestamp=_time("When the object was created, set by the server."),
    deletionTimestamp=_time("When deletion was asked for, set by the server."),
    deletionGracePeriodSeconds=_integer("Grace period of the deletion, seconds.", format="int64"),
    labels=_map(_string(), "Keys and values to select objects by."),
    annotations=_map(_string(), "Keys and values that tools keep with the object."),
    ownerReferences=_list(_OWNER, "Objects whose deletion takes this one along.", ("uid",)),
    finalizers=_list(_string(), "What must be done before the object may go.", kind="set"),
    managedFields=_list(_any(), "Which manager owns which fields."),
)
"""Schema of metadata; lists carry the keys that merging uses."""

_REFERENCE = _struct(
    "A pointer to an object.",
    apiVersion=_string(), fieldPath=_string(), kind=_string(), name=_string(), namespace=_string(),
    resourceVersion=_string(), uid=_string(),
) | {"x-kubernetes-map-type": "atomic"}  # fmt: skip
_CONDITION = _struct(
    "One observation of the object's state.",
    ("type", "status"),
    type=_string("Kind of condition."),
    status=_string("True, False or Unknown."),
    observedGeneration=_integer("Generation that was looked at.", format="int64"),
    lastTransitionTime=_time("When the status last changed."),
    reason=_string("Reason in one CamelCase word."),
    message=_string("Reason for people."),
)
_SELECTOR = _struct(
    "Selects objects by label.",
    matchLabels=_map(_string()),
    matchExpressions=_list(
        _struct("", ("key", "operator"), key=_string(), operator=_string(), values=_list(_string()))
    ),
) | {"x-kubernetes-map-type": "atomic"}
_OPERATIONS = _struct(
    "Resources and operations.",
    apiGroups=_list(_string()), apiVersions=_list(_string()), operations=_list(_string()),
    resources=_list(_string()), resourceNames=_list(_string()), scope=_string(),
)  # fmt: skip
_MATCH = _struct(
    "What a policy applies to.",
    namespaceSelector=_SELECTOR,
    objectSelector=_SELECTOR,
    resourceRules=_list(_OPERATIONS),
    excludeResourceRules=_list(_OPERATIONS),
    matchPolicy=_string("Exact or Equivalent."),
)
_NAMED_EXPRESSION = _struct("", ("name", "expression"), name=_string(), expression=_string("CEL."))
_POLICY_SPEC = _struct(
    "What is demanded.",
    paramKind=_struct("", apiVersion=_string(), kind=_string()),
    matchConstraints=_MATCH,
    matchConditions=_list(_NAMED_EXPRESSION, "All must hold for the policy to apply.", ("name",)),
    variables=_list(_NAMED_EXPRESSION, "Named expressions.", ("name",)),
    validations=_list(
        _struct("", ("expression",), expression=_string("CEL; must be true."), message=_string(),
                messageExpression=_string(), reason=_string()),
        "What must hold.",
    ),
    failurePolicy=_string("Fail or Ignore when an expression cannot be evaluated.", default="Fail"),
    auditAnnotations=_list(_struct("", ("key",), key=_string(), valueExpression=_string())),
)  # fmt: skip
_NAMES = _struct(
    "Names of the resource.",
    plural=_string(), singular=_string(), kind=_string(), listKind=_string(),
    shortNames=_list(_string()), categories=_list(_string()),
)  # fmt: skip
_CRD_VERSION = _struct(
    "One version.",
    ("name", "served", "storage"),
    name=_string("Name of the version."),
    served=_boolean("Whether it is served."),
    storage=_boolean("Whether objects are stored in it; exactly one version."),
    deprecated=_boolean(),
    deprecationWarning=_string(),
    schema=_struct("Schema of the version.", openAPIV3Schema=_any("Structural schema.")),
    subresources=_struct("Subresources.", status=_any("The status subresource."), scale=_any("Not served.")),
    additionalPrinterColumns=_list(
        _struct("", ("name", "type", "jsonPath"), name=_string(), type=_string(), format=_string(),
                description=_string(), priority=_integer(format="int32"), jsonPath=_string()),
        "Columns that kubectl get shows.",
    ),
    selectableFields=_list(_struct("", ("jsonPath",), jsonPath=_string()),
        "Fields usable in field selectors."),
)  # fmt: skip


def _root(description: str, **fields: Obj) -> Obj:
    return _struct(
        description,
        apiVersion=_string("Version of the API that the object is written in."),
        kind=_string("Kind of the object."),
        metadata=_struct("Standard object metadata."),
        **fields,
    )


_NAMESPACE = _root(
    "A space of names; a using unit has one.",
    spec=_struct("Desired state.", finalizers=_list(_string())),
    status=_struct("Observed state.", phase=_string("Active or Terminating."),
                   conditions=_list(_CONDITION, "", ("type",))),
)  # fmt: skip
_CONFIG_MAP = _root(
    "Configuration data.",
    data=_map(_string(), "Keys and UTF-8 values."),
    binaryData=_map(_string(format="byte"), "Keys and base64 values."),
    immutable=_boolean("Whether the data may no longer be changed."),
)
_SECRET = _root(
    "Secret data.",
    data=_map(_string(format="byte"), "Keys and base64 values."),
    stringData=_map(_string(), "Keys and plain values; merged into data on write, never read back."),
    type=_string("What kind of secret this is.", default="Opaque"),
    immutable=_boolean("Whether the data may no longer be changed."),
)
_SERVICE_ACCOUNT = _root(
    "An identity.",
    automountServiceAccountToken=_boolean(),
    imagePullSecrets=_list(_struct("", name=_string())),
    secrets=_list(_REFERENCE, "", ("name",)),
)
_SERIES_FIELDS = {"count": _integer(format="int32"), "lastObservedTime": _time()}
_CORE_EVENT = _root(
    "A report of something that happened to an object.",
    involvedObject=_REFERENCE, reason=_string("Why, in one word."), message=_string("What happened."),
    source=_struct("Who reports.", component=_string(), host=_string()),
    firstTimestamp=_time(), lastTimestamp=_time(), count=_integer(format="int32"),
    type=_string("Normal or Warning."),
    eventTime=_time(), series=_struct("", **_SERIES_FIELDS), action=_string(), related=_REFERENCE,
    reportingComponent=_string(), reportingInstance=_string(),
)  # fmt: skip
_EVENT = _root(
    "A report of something that happened to an object.",
    regarding=_REFERENCE, reason=_string("Why, in one word."), note=_string("What happened."),
    deprecatedSource=_struct("", component=_string(), host=_string()),
    deprecatedFirstTimestamp=_time(), deprecatedLastTimestamp=_time(),
    deprecatedCount=_integer(format="int32"),
    type=_string("Normal or Warning."), eventTime=_time(), series=_struct("", **_SERIES_FIELDS),
    action=_string(), related=_REFERENCE, reportingController=_string(), reportingInstance=_string(),
)  # fmt: skip
_LEASE = _root(
    "A lease: who leads, until when.",
    spec=_struct(
        "The lease.", acquireTime=_time(), holderIdentity=_string(),
        leaseDurationSeconds=_integer("Seconds.", format="int32"), leaseTransitions=_integer(format="int32"),
        preferredHolder=_string(), renewTime=_time(), strategy=_string(),
    ),
)  # fmt: skip
_JOB = _root(
    "Work that ends. Nothing runs it here: whoever plays the cluster's part writes its status.",
    spec=_any("What is to be run."),
    status=_any("How far it is."),
)
_POD = _root(
    "A process of a Job. Nothing runs it here: whoever plays the cluster's part writes it.",
    spec=_any("What is run."),
    status=_any("How far it is."),
)
_CRD = _root(
    "Defines a kind.",
    spec=_struct(
        "What is served.",
        group=_string(),
        scope=_string("Cluster or Namespaced."),
        names=_NAMES,
        versions=_list(_CRD_VERSION),
        conversion=_struct(
            "How versions are converted.", strategy=_string("Only None is served."), webhook=_any()
        ),
        preserveUnknownFields=_boolean(),
    ),
    status=_struct(
        "What the server made of it.",
        conditions=_list(_CONDITION, "", ("type",)),
        acceptedNames=_NAMES,
        storedVersions=_list(_string()),
    ),
)
_POLICY = _root(
    "An admission policy in CEL.",
    spec=_POLICY_SPEC,
    status=_struct("", observedGeneration=_integer(format="int64"), typeChecking=_any(),
                   conditions=_list(_CONDITION, "", ("type",))),
)  # fmt: skip
_BINDING = _root(
    "Puts an admission policy in force.",
    spec=_struct(
        "",
        policyName=_string("Name of the policy."),
        matchResources=_MATCH,
        paramRef=_any(),
        validationActions=_list(_string(), "Deny, Warn or Audit.", kind="set"),
    ),
)
_REVIEW_STATUS = _struct(
    "", allowed=_boolean(), denied=_boolean(), reason=_string(), evaluationError=_string()
)
_ACCESS_REVIEW = _root(
    "Asks whether the caller may do something.",
    spec=_struct("", resourceAttributes=_any(), nonResourceAttributes=_any()),
    status=_REVIEW_STATUS,
)
_RULES_REVIEW = _root("Asks what the caller may do.", spec=_struct("", namespace=_string()), status=_any())
_SELF_REVIEW = _root("Asks who the caller is.", status=_any())

_AGE = Column("Age", ".metadata.creationTimestamp", "date")
_EVENT_COLUMNS = (
    Column("Last Seen", "", "string"),
    Column("Type", ".type"),
    Column("Reason", ".reason"),
    Column("Object", ""),
    Column("Message", ".message"),
)
_ADMISSION = "admissionregistration.k8s.io"
BUILTIN: tuple[Resource, ...] = (
    Resource("", "v1", "namespaces", "namespace", "Namespace", False, _NAMESPACE, short_names=("ns",),
        status=True,
             columns=(Column("Status", ".status.phase"), _AGE), selectable=("status.phase",),
             verbs=("create", "delete", "get", "list", "patch", "update", "watch")),
    Resource("", "v1", "configmaps", "configmap", "ConfigMap", True, _CONFIG_MAP, short_names=("cm",),
             columns=(Column("Data", "", "integer"), _AGE)),
    Resource("", "v1", "secrets", "secret", "Secret", True, _SECRET,
             columns=(Column("Type", ".type"), Column("Data", "", "integer"), _AGE), selectable=("type",)),
    Resource("", "v1", "serviceaccounts", "serviceaccount", "ServiceAccount", True, _SERVICE_ACCOUNT,
             short_names=("sa",), columns=(_AGE,)),
    Resource("", "v1", "pods", "pod", "Pod", True, _POD, short_names=("po",), status=True,
             categories=("all",), selectable=("status.phase",),
             columns=(Column("Status", ".status.phase"), _AGE)),
    Resource("", "v1", "events", "event", "Event", True, _CORE_EVENT, short_names=("ev",), storage="events",
             storage_version="v1", columns=_EVENT_COLUMNS, create_on_update=True,
             selectable=("involvedObject.kind", "involvedObject.namespace", "involvedObject.name",
                         "involvedObject.uid", "involvedObject.apiVersion", "involvedObject.resourceVersion",
                         "involvedObject.fieldPath", "reason", "reportingComponent", "source", "type")),
    Resource("events.k8s.io", "v1", "events", "event", "Event", True, _EVENT, short_names=("ev",),
        storage="events",
             storage_version="v1", columns=_EVENT_COLUMNS, create_on_update=True, converts=True,
             selectable=("regarding.kind", "regarding.namespace", "regarding.name", "regarding.uid", "reason",
                         "type")),
    Resource("coordination.k8s.io", "v1", "leases", "lease", "Lease", True, _LEASE, create_on_update=True,
             columns=(Column("Holder", ".spec.holderIdentity"), _AGE)),
    Resource("batch", "v1", "jobs", "job", "Job", True, _JOB, status=True, categories=("all",),
             columns=(Column("Status", ".status.conditions[0].type"), _AGE)),
    Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", "customresourcedefinition",
             "CustomResourceDefinition", False, _CRD, short_names=("crd", "crds"),
             categories=("api-extensions",),
             status=True, columns=(Column("Created At", ".metadata.creationTimestamp", "string"),)),
    Resource(_ADMISSION, "v1", "validatingadmissionpolicies", "validatingadmissionpolicy",
             "ValidatingAdmissionPolicy", False, _POLICY, categories=("api-extensions",), status=True,
             columns=(Column("Validations", "", "integer"), Column("ParamKind", ".spec.paramKind.kind"),
                 _AGE)),
    Resource(_ADMISSION, "v1", "validatingadmissionpolicybindings", "validatingadmissionpolicybinding",
             "ValidatingAdmissionPolicyBinding", False, _BINDING, categories=("api-extensions",),
             columns=(Column("PolicyName", ".spec.policyName"), _AGE)),
    Resource("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "selfsubjectaccessreview",
             "SelfSubjectAccessReview", False, _ACCESS_REVIEW, verbs=("create",)),
    Resource("authorization.k8s.io", "v1", "selfsubjectrulesreviews", "selfsubjectrulesreview",
             "SelfSubjectRulesReview", False, _RULES_REVIEW, verbs=("create",)),
    Resource("authentication.k8s.io", "v1", "selfsubjectreviews", "selfsubjectreview",
             "SelfSubjectReview", False, _SELF_REVIEW, verbs=("create",)),
)  # fmt: skip

_EVENT_FIELDS = {
    "regarding": "involvedObject",
    "note": "message",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
    "reportingController": "reportingComponent",
}


def event_to_core(obj: Obj) -> Obj:
    """Convert an events.k8s.io/v1 Event to the core/v1 form in which events are stored."""
    return {_EVENT_FIELDS.get(k, k): v for k, v in obj.items()} | {"apiVersion": "v1"}


def event_from_core(obj: Obj) -> Obj:
    """Convert a stored Event to events.k8s.io/v1."""
    back = {v: k for k, v in _EVENT_FIELDS.items()}
    return {back.get(k, k): v for k, v in obj.items()} | {"apiVersion": "events.k8s.io/v1"}
