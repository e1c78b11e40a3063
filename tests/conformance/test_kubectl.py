"""Stock kubectl as a black box."""

from __future__ import annotations

import json
import secrets
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import KUBECTL, Obj, Target, environment, kubectl


@pytest.fixture
def space(target: Target) -> Iterator[str]:
    name = f"conf-{secrets.token_hex(4)}"
    kubectl(target.kubeconfig, "create", "namespace", name)
    yield name
    kubectl(target.kubeconfig, "delete", "namespace", name, "--wait=false")


class Run:
    def __init__(self, target: Target, space: str, group: str) -> None:
        self.kubeconfig, self.space, self.group = target.kubeconfig, space, group

    def __call__(self, *args: str, stdin: str | None = None, check: bool = True, **env: str) -> str:
        return kubectl(self.kubeconfig, "-n", self.space, *args, stdin=stdin, check=check, **env)

    def manifest(self, name: str = "a", **spec: object) -> str:
        body: Obj = {
            "apiVersion": f"{self.group}/v1", "kind": "Widget", "metadata": {"name": name},
            "spec": {"size": 3} | spec,
        }  # fmt: skip
        return json.dumps(body)

    def start(self, *args: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [KUBECTL, "-n", self.space, *args],
            stdout=subprocess.PIPE, text=True, env=environment(self.kubeconfig),
        )  # fmt: skip


@pytest.fixture
def run(target: Target, space: str, group: str) -> Run:
    return Run(target, space, group)


def test_apply_client_side(run: Run) -> None:
    assert run("apply", "-f", "-", stdin=run.manifest(names=["x"])).endswith("/a created\n")
    assert run("apply", "-f", "-", stdin=run.manifest(names=["x"])).endswith("/a unchanged\n")
    assert run("apply", "-f", "-", stdin=run.manifest(size=4)).endswith("/a configured\n")
    body = json.loads(run("get", "widgets", "a", "-o", "json"))
    assert body["spec"] == {"size": 4, "color": "red"}


def test_apply_server_side(run: Run) -> None:
    done = run("apply", "--server-side", "-f", "-", stdin=run.manifest())
    assert done.endswith("/a serverside-applied\n")
    text = run(
        "apply", "--server-side", "--field-manager=b", "-f", "-", stdin=run.manifest(size=5), check=False
    )
    assert 'conflict with "kubectl": .spec.size' in text
    run(
        "apply",
        "--server-side",
        "--field-manager=b",
        "--force-conflicts",
        "-f",
        "-",
        stdin=run.manifest(size=5),
    )
    assert run("get", "widgets", "a", "-o", "jsonpath={.spec.size}") == "5"


def test_from_client_side_to_server_side(run: Run) -> None:
    run("apply", "-f", "-", stdin=run.manifest(names=["x"]))
    run("apply", "--server-side", "-f", "-", stdin=run.manifest())
    assert "names" not in json.loads(run("get", "widgets", "a", "-o", "json"))["spec"]


def test_apply_says_what_is_wrong(run: Run) -> None:
    text = run("apply", "-f", "-", stdin=run.manifest(unknown=1), check=False)
    assert 'strict decoding error: unknown field "spec.unknown"' in text
    text = run("apply", "-f", "-", stdin=run.manifest(size=0), check=False)
    assert 'The Widget "a" is invalid: spec.size: Invalid value: 0:' in text


def test_get_with_columns(run: Run) -> None:
    run("apply", "-f", "-", stdin=run.manifest())
    lines = run("get", "widgets").splitlines()
    assert lines[0].split() == ["NAME", "SIZE", "READY", "PHASE", "AGE"]
    assert lines[1].split()[:2] == ["a", "3"]
    assert "COLOR" in run("get", f"w{run.group[1:4]}", "-o", "wide")
    assert run("get", "widget/a", "-o", "name") == f"widget.{run.group}/a\n"
    assert "widget" in run("get", "conformance", "-o", "name")
    assert run("get", "widgets", "-o", "custom-columns=S:.spec.size", "--no-headers") == "3\n"


def test_get_watch(run: Run) -> None:
    run("apply", "-f", "-", stdin=run.manifest())
    process = run.start("get", "widgets", "-w", "--no-headers")
    assert process.stdout is not None
    try:
        assert process.stdout.readline().split()[:2] == ["a", "3"]
        run("patch", "widget", "a", "--type=merge", "-p", '{"spec":{"size":7}}')
        assert process.stdout.readline().split()[:2] == ["a", "7"]
        run("apply", "-f", "-", stdin=run.manifest("b"))
        assert process.stdout.readline().split()[:2] == ["b", "3"]
    finally:
        process.kill()
        process.wait()


def test_describe_shows_events(run: Run) -> None:
    run("apply", "-f", "-", stdin=run.manifest())
    uid = run("get", "widget", "a", "-o", "jsonpath={.metadata.uid}")
    event: Obj = {
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "a.1", "namespace": run.space},
        "involvedObject": {"apiVersion": f"{run.group}/v1", "kind": "Widget", "name": "a",
        "namespace": run.space,
                           "uid": uid},
        "reason": "Painted", "message": "it is red now", "type": "Normal", "source": {"component": "painter"},
        "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:00:00Z", "count": 1,
    }  # fmt: skip
    run("create", "-f", "-", stdin=json.dumps(event))
    text = run("describe", "widget", "a")
    assert "Name:         a" in text
    assert "it is red now" in text
    assert "Painted" in run("get", "events")


def test_explain(run: Run) -> None:
    text = run("explain", "widgets.spec")
    assert "What is wanted." in text
    assert "size\t<integer> -required-" in text
    assert "Size in centimetres." in run("explain", "widgets.spec.size")
    assert "creationTimestamp" in run("explain", "widgets.metadata")


def test_patches(run: Run) -> None:
    run("apply", "-f", "-", stdin=run.manifest())
    run("patch", "widget", "a", "--type=merge", "-p", '{"spec":{"size":4}}')
    run("patch", "widget", "a", "--type=json", "-p", '[{"op":"replace","path":"/spec/size","value":5}]')
    run("patch", "widget", "a", "--subresource=status", "--type=merge", "-p", '{"status":{"phase":"Open"}}')
    assert run("get", "widget", "a", "-o", "jsonpath={.spec.size} {.status.phase}") == "5 Open"
    run("create", "configmap", "c", "--from-literal=a=1")
    run("patch", "configmap", "c", "-p", '{"data":{"b":"2"}}')
    assert json.loads(run("get", "cm", "c", "-o", "jsonpath={.data}")) == {"a": "1", "b": "2"}


def test_edit(run: Run, tmp_path: Path) -> None:
    run("apply", "-f", "-", stdin=run.manifest())
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsed -i 's/size: 3/size: 6/' \"$1\"\n")
    editor.chmod(0o755)
    assert run("edit", "widget", "a", EDITOR=str(editor)).endswith("/a edited\n")
    assert run("get", "widget", "a", "-o", "jsonpath={.spec.size}") == "6"


def test_label_annotate_replace(run: Run) -> None:
    run("apply", "-f", "-", stdin=run.manifest())
    run("label", "widget", "a", "k=v")
    run("annotate", "widget", "a", "note=text")
    assert run("get", "widgets", "-l", "k in (v)", "-o", "name").endswith("/a\n")
    run("replace", "-f", "-", stdin=run("get", "widget", "a", "-o", "json").replace('"size": 3', '"size": 8'))
    assert run("get", "widget", "a", "-o", "jsonpath={.spec.size}") == "8"


def test_wait(run: Run) -> None:
    run("apply", "-f", "-", stdin=run.manifest())
    waiting = run.start("wait", "widget/a", "--for=condition=Ready", "--timeout=20s")
    status = {"status": {"phase": "Done", "conditions": [{"type": "Ready", "status": "True"}]}}
    run("patch", "widget", "a", "--subresource=status", "--type=merge", "-p", json.dumps(status))
    out, _ = waiting.communicate(timeout=25)
    assert "condition met" in out
    assert "condition met" in run("wait", "widget/a", "--for=jsonpath={.status.phase}=Done", "--timeout=20s")
    gone = run.start("wait", "widget/a", "--for=delete", "--timeout=20s")
    run("delete", "widget", "a")
    gone.communicate(timeout=25)
    assert gone.returncode == 0


def test_diff(run: Run) -> None:
    run("apply", "-f", "-", stdin=run.manifest())
    text = run("diff", "-f", "-", stdin=run.manifest(size=9), check=False)
    assert "-  size: 3" in text
    assert "+  size: 9" in text
    assert run("get", "widget", "a", "-o", "jsonpath={.spec.size}") == "3"


def test_api_resources_and_can_i(run: Run) -> None:
    text = run("api-resources", f"--api-group={run.group}", "--no-headers")
    assert text.split() == ["widgets", f"w{run.group[1:4]}", f"{run.group}/v1", "true", "Widget"]
    assert run("auth", "can-i", "create", "widgets") == "yes\n"
    assert "Username" in run("auth", "whoami")


def test_typed_creates(run: Run) -> None:
    run("create", "secret", "generic", "s", "--from-literal=p=q")
    assert run("get", "secret", "s", "-o", "jsonpath={.data.p}") == "cQ=="
    run("create", "serviceaccount", "robot")
    names = run("get", "secrets,sa", "-o", "name").split()
    assert {"secret/s", "serviceaccount/robot"} <= set(names)


def test_delete_by_label_and_wait(run: Run) -> None:
    for name in ("a", "b"):
        run("apply", "-f", "-", stdin=run.manifest(name))
    run("label", "widget", "a", "k=v")
    assert '"a" deleted' in run("delete", "widgets", "-l", "k=v")
    assert run("get", "widgets", "-o", "name").endswith("/b\n")
    run("delete", "widgets", "--all", "--cascade=foreground")
    assert run("get", "widgets", "-o", "name") == ""


def test_definition_by_kubectl(run: Run) -> None:
    name = f"gadgets.k{secrets.token_hex(3)}.conformance.dev"
    plural, _, group = name.partition(".")
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"a": {"type": "string"}}}},
    }
    body: Obj = {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": name},
        "spec": {"group": group, "scope": "Cluster", "names": {"plural": plural, "kind": "Gadget"},
                 "versions": [{"name": "v1", "served": True, "storage": True,
                 "schema": {"openAPIV3Schema": schema}}]},
    }  # fmt: skip
    for _ in range(2):
        run("apply", "--server-side", "-f", "-", stdin=json.dumps(body))
    try:
        assert "condition met" in run("wait", f"crd/{name}", "--for=condition=Established", "--timeout=20s")
        thing = {"apiVersion": f"{group}/v1", "kind": "Gadget", "metadata": {"name": "g"}, "spec": {"a": "b"}}
        deadline = time.monotonic() + 15
        while "created" not in (text := run("apply", "-f", "-", stdin=json.dumps(thing), check=False)):
            assert time.monotonic() < deadline, text
        assert run("get", "gadgets").split()[:2] == ["NAME", "AGE"]
    finally:
        run("delete", "crd", name)
