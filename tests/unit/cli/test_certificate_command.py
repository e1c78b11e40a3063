"""``govpool certificate verify`` on files, without a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from tests.unit.certificate_examples import document
from typer.testing import CliRunner

from govpool.api.wipecertificate import WipeCertificate, WipeCertificateSpec
from govpool.cli.certificate import Form, written
from govpool.cli.demo.ending import forged
from govpool.cli.main import app
from govpool.effects.signing import generate_private_key, public_pem, sign

KEY = generate_private_key()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    spec = sign(WipeCertificateSpec.model_validate(document()), KEY)
    stored = WipeCertificate.model_validate({"metadata": {"name": "c", "namespace": "unit-a"}, "spec": spec})
    path = tmp_path / "c.yaml"
    path.write_text(written(stored, Form.YAML))
    (tmp_path / "key.pem").write_bytes(public_pem(KEY))
    return path


def verify(*arguments: object) -> tuple[int, str]:
    answer = CliRunner().invoke(app, ["certificate", "verify", *map(str, arguments)])
    return answer.exit_code, answer.output


def test_a_genuine_certificate_stands(file: Path) -> None:
    code, said = verify(file, "--key", file.with_name("key.pem"))
    assert (code, "stands" in said, "a key that you named" in said) == (0, True, True), said


def test_without_a_key_it_says_what_that_shows(file: Path) -> None:
    code, said = verify(file)
    assert code == 0
    assert "compare SHA256:" in said


def test_a_changed_figure_is_found(file: Path) -> None:
    changed = yaml.safe_load(file.read_text())
    changed["spec"]["media"][0]["sanitisation"]["bytesWritten"] += 1
    file.write_text(yaml.safe_dump(changed))
    code, said = verify(file)
    assert (code, "DOES NOT STAND" in said, "Signature" in said) == (1, True, True), said


def test_another_authority_is_found(file: Path) -> None:
    other = file.with_name("other.pem")
    other.write_bytes(public_pem(generate_private_key()))
    code, said = verify(file, "--key", other)
    assert (code, "none of the trusted keys" in said) == (1, True), said


@pytest.mark.parametrize("content", ["no certificate", "kind: Pod", ""])
def test_another_file_does_not_stand(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(content)
    assert verify(path)[0] == 1


def test_a_missing_file_or_key_is_a_mistake_of_the_caller(file: Path) -> None:
    assert verify(file.with_name("gone.yaml"))[0] == 2
    file.with_name("key.pem").write_text("no key")
    assert verify(file, "--key", file.with_name("key.pem"))[0] == 2


def test_the_demos_own_forgery_is_found(file: Path) -> None:
    assert "Signature" in forged(file, file.with_name("key.pem"))
