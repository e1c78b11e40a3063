"""What a site adds to the Pods of its Jobs: secrets of its registry, nodes, volumes."""

from __future__ import annotations

from typing import cast

from pydantic import ConfigDict, Field, JsonValue, ValidationError

from govpool.api.base import Model
from govpool.effects.kube import Json

Objects = tuple[dict[str, JsonValue], ...]


class RunnerPod(Model):
    """Additions to every Job's Pod, as Kubernetes names them; nothing that makes it less restricted."""

    model_config = ConfigDict(extra="forbid")

    image_pull_secrets: Objects = ()
    """Secrets of the Jobs' namespace with which the image is pulled: ``{name: ...}``."""
    node_selector: dict[str, str] = Field(default_factory=dict)
    """Labels of the nodes on which Jobs run."""
    tolerations: Objects = ()
    """Taints of nodes that Jobs put up with."""
    priority_class_name: str = ""
    """PriorityClass of the Pods."""
    resources: dict[str, JsonValue] = Field(default_factory=dict)
    """Instead of the built-in requests and limits."""
    env: Objects = ()
    """Further environment variables of the container."""
    volumes: Objects = ()
    """Further volumes: certificates of a site's own authority, a backup repository that is a folder."""
    volume_mounts: Objects = ()
    """Where the container finds them."""

    @classmethod
    def parse(cls, text: str) -> RunnerPod:
        """Read JSON; nothing is nothing to add. Raises ValueError that says what is wrong, and where."""
        try:
            return cls.model_validate_json(text or "{}")
        except ValidationError as error:
            told = "; ".join(
                f"{'.'.join(map(str, one['loc'])) or 'the whole'}: {one['msg']}" for one in error.errors()
            )
            raise ValueError(told) from None

    def added(self, pod: Json) -> Json:
        """A Pod's specification with the additions, whose first container is the runner."""
        (container,) = cast("list[Json]", pod["containers"])
        container = {
            **container,
            "env": [*cast("list[Json]", container["env"]), *self.env],
            "volumeMounts": [*cast("list[Json]", container["volumeMounts"]), *self.volume_mounts],
        }
        if self.resources:
            container["resources"] = self.resources
        more = {
            "imagePullSecrets": [*self.image_pull_secrets],
            "nodeSelector": self.node_selector,
            "tolerations": [*self.tolerations],
            "priorityClassName": self.priority_class_name,
        }
        return cast(
            Json,
            {
                **pod,
                **{key: value for key, value in more.items() if value},
                "containers": [container],
                "volumes": [*cast("list[Json]", pod["volumes"]), *self.volumes],
            },
        )
