"""The last act: the certificate, whether it stands, and whether anything is left of the data."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import cast

import yaml

from govpool.api.wipecertificate import WipeCertificate
from govpool.cli.certificate import Form, written
from govpool.cli.demo.screen import command
from govpool.cli.demo.stage import Stage
from govpool.cli.demo.unit import holds
from govpool.cli.demo.workspace import NAMESPACE, output_of
from govpool.cli.errors import CliError
from govpool.effects.certificates import CHAIN, PUBLIC_KEY
from govpool.effects.signing import load_public_key, verifier
from govpool.rules.certificate import verify_chain


async def certified(stage: Stage, revision: int, images: list[Path]) -> Path:
    """Take the certificate out, verify it as anybody could, and search what is left of the disks."""
    screen = stage.screen
    screen.chapter("chapter-certificate")
    with screen.step("certificate") as step:
        name = stage.view.status.certificate
        if name is None:
            raise CliError(f"revision {revision} ended without a certificate")
        certificate = await stage.apis["unit"].get(WipeCertificate, name, NAMESPACE)
        folder = stage.workspace.evidence
        file, key = folder / "wipe-certificate.yaml", folder / "authority-key.pem"
        file.write_text(written(certificate, Form.YAML))
        (folder / "wipe-certificate.html").write_text(written(certificate, Form.HTML))
        key.write_text(await _public_key(stage))
        spec = certificate.spec
        step.note(
            screen.text(
                "certificate-line",
                number=spec.number,
                article=f"{spec.regulation.document_number} {spec.regulation.article}",
                media=len(spec.media),
                verified=spec.verified_by.name if spec.verified_by else "-",
                validated=spec.validated_by.name if spec.validated_by else "-",
            )
        )
    with screen.step("verify") as step:
        step.note(command(f"govpool certificate verify {file.name} --key {key.name}"))
        for line in (await _verify(file, key)).splitlines():
            step.note(line)
        step.note(screen.text("forged", why=forged(file, key)))
    if stage.searchable:
        with screen.step("search-after") as step:
            found = [
                image.name for image in images if await asyncio.to_thread(holds, image, stage.unit.marker)
            ]
            if found:
                raise CliError(f"the marker is still on {', '.join(found)}")
            step.note(screen.text("nothing-found", disks=len(images), names=_names(images)))
    return file


def _names(images: list[Path]) -> int:
    """How many names the pool itself still has for these files; the demo's own is one of them."""
    return sum(image.stat().st_nlink - 1 for image in images)


async def _public_key(stage: Stage) -> str:
    document = await stage.apis["admin"].core_get("configmaps", "govpool-system", CHAIN)
    if document is None:
        raise CliError("the chain's head is not in the cluster")
    return cast(dict[str, str], document["data"])[PUBLIC_KEY]


async def _verify(file: Path, key: Path) -> str:
    """``govpool certificate verify``, as a process that knows nothing of the cluster."""
    arguments = ["certificate", "verify", str(file), "--key", str(key)]
    return await output_of(sys.executable, "-m", "govpool.cli.main", *arguments, env={"KUBECONFIG": ""})


def forged(file: Path, key: Path) -> str:
    """Change one figure in a copy of a certificate; returns what the verification says of it.

    Raises:
        CliError: it was taken for genuine.
    """
    text, field = file.read_text(), "bytesWritten: "
    at = text.index(field) + len(field)
    document = yaml.safe_load(f"{text[:at]}{'1' if text[at] != '1' else '2'}{text[at + 1 :]}")
    for verdict in verify_chain([("copy", document)], verifier([load_public_key(key.read_bytes())])):
        for fault in verdict.faults:
            return f"{fault.kind}: {fault.message}"
    raise CliError("a forged certificate was taken for a genuine one")
