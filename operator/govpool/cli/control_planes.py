"""Which control plane an operator serves: a named one, the cluster it runs in, else the embedded one."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from govpool.cli.api import connected
from govpool.cli.crds import install
from govpool.cli.errors import CliError, Exit


@dataclass(frozen=True, slots=True)
class Found:
    """A control plane."""

    kubeconfig: Path | None
    """None: the account of the Pod."""
    what: str


def named(kubeconfig: Path | None) -> Found | None:
    """``--kubeconfig``, ``KUBECONFIG``, or the cluster around this Pod; None when there is none of them.

    Raises:
        CliError: a file that was named is not there.
    """
    if kubeconfig is not None:
        if not kubeconfig.is_file():
            raise CliError(f"{kubeconfig}: no such kubeconfig", Exit.USAGE)
        return Found(kubeconfig, str(kubeconfig))
    given = [Path(p) for p in os.environ.get("KUBECONFIG", "").split(os.pathsep) if p]
    if given:
        present = next((path for path in given if path.is_file()), None)
        if present is None:
            raise CliError(f"KUBECONFIG names {given[0]}, which is not there", Exit.USAGE)
        return Found(present, f"KUBECONFIG {present}")
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        return Found(None, "the cluster of this Pod")
    return None


@asynccontextmanager
async def control_plane(kubeconfig: Path | None, state_dir: Path) -> AsyncIterator[Found]:
    """The control plane to serve; where none is named, an embedded one over ``state_dir`` for as long.

    Raises:
        CliError: a kubeconfig is missing, or another process runs the embedded control plane.
    """
    found = named(kubeconfig)
    if found is not None:
        yield found
        return
    from govpool.standalone.server import ControlPlane

    async with AsyncExitStack() as stack:
        plane = ControlPlane(state_dir)
        try:
            await stack.enter_async_context(plane)
        except (RuntimeError, OSError) as error:
            raise CliError(f"no control plane was named, and the embedded one can't start: {error}") from None
        async with connected(plane.kubeconfig("admin")) as api:
            await install(api)
        yield Found(plane.kubeconfig("operator"), f"the embedded control plane at {plane.url}")
