#!/usr/bin/python
"""Ansible module: wipe one disk on the sanitiser (净化机), verified by read-back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: govpool_wipe
short_description: Overwrite a disk with a keyed stream, read it back, compare, discard
description:
  - Writes AES-256-CTR over the whole disk, flushes, reads it back past the page cache, compares it with
    the regenerated stream and then discards it. Technique class Clear after NIST SP 800-88r2.
  - May be run again at any time; it goes on where a killed run stopped and tells a finished one again.
options:
  disk_key: {type: str, required: true, description: The disk's key in the pool.}
  run_key: {type: str, required: true, description: The work order's run key.}
  device: {type: path, required: true, description: Block device or image file.}
  size_bytes: {type: int, required: true, description: The size it must have.}
  key: {type: str, required: true, description: 32 random bytes in hex, for this disk only.}
  verification: {type: str, choices: [Full, Sampled], default: Full, description: How much is read.}
  share: {type: float, default: 1.0, description: Share of the disk that a sample reads, above 0 to 1.}
  seed: {type: str, default: '', description: Seed of the sample; needed for Sampled.}
  progress_file: {type: path, required: true, description: Where the progress is kept between runs.}
requirements: [python >= 3.11, cryptography >= 38]
"""

RETURN = r"""
wipe:
  description: The report; result is Verified, Mismatch or Incomplete.
  type: dict
reason:
  description: Why it was refused (nothing touched) or could not go on.
  type: str
outcome:
  description: Verified, Mismatch, Incomplete, Refused (nothing touched) or Failed (could not go on).
  type: str
"""

import traceback  # noqa: E402 - Ansible wants its documentation first

from ansible.module_utils.basic import AnsibleModule, missing_required_lib  # noqa: E402

try:
    from ansible.module_utils.govpool_wipe_device import RefusedError
    from ansible.module_utils.govpool_wipe_engine import WipeFailedError, WipeOrder, wipe

    LACK = None
except ImportError:
    LACK = traceback.format_exc()


def order_of(params: dict) -> WipeOrder:
    """The order that the task's parameters give. Raises RefusedError on a key that is not 32 bytes of hex."""
    try:
        key = bytes.fromhex(params["key"])
    except ValueError:
        key = b""
    if len(key) != 32:
        raise RefusedError(
            "NoKey", "the key of a wipe is 32 random bytes in hex; give it in the secrets file"
        )
    return WipeOrder(
        disk_key=params["disk_key"],
        path=params["device"],
        size_bytes=params["size_bytes"],
        key=key,
        run_key=params["run_key"],
        verification=params["verification"],
        share=params["share"],
        seed=params["seed"],
    )


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "disk_key": {"type": "str", "required": True, "no_log": False},
            "run_key": {"type": "str", "required": True, "no_log": False},
            "device": {"type": "path", "required": True},
            "size_bytes": {"type": "int", "required": True},
            "key": {"type": "str", "required": True, "no_log": True},
            "verification": {"type": "str", "choices": ["Full", "Sampled"], "default": "Full"},
            "share": {"type": "float", "default": 1.0},
            "seed": {"type": "str", "default": ""},
            "progress_file": {"type": "path", "required": True},
        },
        required_if=[("verification", "Sampled", ["seed"])],
    )
    if LACK:
        module.fail_json(
            msg=missing_required_lib("cryptography"), exception=LACK, outcome="Failed", reason="NoLibrary"
        )
    try:
        report = wipe(order_of(module.params), module.params["progress_file"])
    except RefusedError as refusal:
        module.fail_json(msg=refusal.message, outcome="Refused", reason=refusal.reason)
    except WipeFailedError as failure:
        module.fail_json(msg=failure.message, outcome="Failed", reason=failure.reason)
    except ValueError as error:
        module.fail_json(msg=str(error), outcome="Refused", reason="BadOrder")
    result = report["result"]
    if result != "Verified":
        message = f"{module.params['device']}: {result}; the report has the ranges. Don't release the disk."
        module.fail_json(msg=message, outcome=result, reason=result, wipe=report)
    module.exit_json(changed=not report["adopted"], outcome=result, wipe=report)


if __name__ == "__main__":
    main()
