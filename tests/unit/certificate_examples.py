"""A complete certificate, as plain data that tests break in one place at a time."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta

from govpool.api.wipecertificate import GENESIS, WipeCertificateSpec
from govpool.effects.signing import sign
from govpool.rules.certificate import certificate_hash
from govpool.rules.wipe_plan import detection_odds, sample_blocks

BASE = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
GIB = 1 << 30


def at(hours: float, day: int = 0) -> str:
    return (BASE + timedelta(days=day, hours=hours)).isoformat().replace("+00:00", "Z")


def medium(key: str, *, kind: str = "Disk", size: int = 2 * GIB) -> dict:
    return {
        "key": key,
        "providerId": f"/var/lib/pool/{key}.img",
        "server": "oa-app-0",
        "name": "root" if kind == "RootDisk" else "data",
        "kind": kind,
        "type": "file on ext4",
        "sizeBytes": size,
        "overwrite": "InPlace",
        "sanitisation": {
            "techniqueClass": "Clear",
            "technique": "OverwriteKeyedStream",
            "tool": "govpool_wipe",
            "toolVersion": "1.0.0 (cryptography 50.0.2)",
            "keyFingerprint": "9f" * 16,
            "started": at(20),
            "finished": at(21),
            "bytesWritten": size,
            "bytesPerSecond": 800 << 20,
            "verification": {
                "method": "Full",
                "blockBytes": 4 << 20,
                "blocksRead": size // (4 << 20),
                "bytesVerified": size,
                "readBack": "O_DIRECT, BLKFLSBUF",
                "result": "Passed",
                "at": at(20.9),
            },
            "discard": "Done",
        },
        "absence": {
            "asked": "list_all_disks and list_copies of pool city-a",
            "at": at(22),
            "diskAbsent": True,
            "copiesFound": 0,
        },
    }


def document() -> dict:
    """The spec of a complete, unsigned certificate, the first of its chain."""
    return copy.deepcopy(
        {
            "number": "WC-2026-0001",
            "authority": "益阳市数据局",
            "sequence": 1,
            "issued": at(30),
            "regulation": {
                "policy": "yiyang-2025",
                "title": {"en": "Yiyang Government Cloud Management Measures", "zh": "益阳市政务云管理办法"},
                "documentNumber": "益政办发〔2025〕1号",
                "article": "21(2)",
            },
            "deregistration": {
                "request": {"name": "doc-approval", "uid": "5d0c6f7e-0000-4000-8000-000000000001"},
                "revision": 3,
                "approval": "doc-approval-3",
                "reason": "SupersededBySuperiorPlatform",
                "decidedBy": "wang.reviewer",
                "decidedAt": at(0),
            },
            "system": {
                "unit": "赫山区政务服务中心",
                "namespace": "heshan-zwfw",
                "name": "公文审批系统",
                "protectionLevel": 2,
            },
            "media": [medium("m-0-root", kind="RootDisk"), medium("m-0-data", size=5 * GIB + 4096)],
            "copies": [
                {
                    "kind": "Snapshot",
                    "providerId": "snap-7",
                    "mediumKey": "m-0-data",
                    "sizeBytes": 5 * GIB,
                    "outcome": "Deleted",
                    "at": at(19),
                },
                {
                    "kind": "Backup",
                    "providerId": "restic:4bba",
                    "mediumKey": "m-0-data",
                    "sizeBytes": 123456,
                    "outcome": "HandedOver",
                    "at": at(12),
                },
            ],
            "backup": {
                "required": True,
                "proofs": [
                    {
                        "mediumKey": key,
                        "place": "/srv/backup",
                        "snapshot": "4bba301e" * 8,
                        "tree": "77" * 32,
                        "sha256": "ab" * 32,
                        "bytes": 123456,
                        "files": 3,
                        "taken": at(10),
                    }
                    for key in ("m-0-root", "m-0-data")
                ],
                "receiptSha256": "cd" * 32,
                "receipt": {"by": "li.unit", "at": at(15), "sha256": "cd" * 32},
            },
            "confirmation": {
                "name": "li.unit",
                "role": "unit",
                "at": at(26),
                "statement": "服务终止，确认。",
            },
            "verifiedBy": {"name": "govpool", "role": "operator", "at": at(27)},
            "validatedBy": {
                "name": "zhao.security",
                "role": "reviewer",
                "at": at(28),
                "statement": "证据充分。",
            },
            "previousHash": GENESIS,
        }
    )


def sampled(size: int) -> dict:
    """A verification by a sample of 10 %, in place of a full one."""
    block, share = 65536, 0.1
    blocks = sample_blocks(size, share, block)
    return {
        "method": "Sampled",
        "share": share,
        "seed": "order-17",
        "blockBytes": block,
        "blocksRead": blocks,
        "bytesVerified": blocks * block,
        "detectionOdds": round(detection_odds(size, share, block_bytes=block), 6),
        "result": "Passed",
        "at": at(20.9),
    }


def chain(length: int, key: bytes) -> list[WipeCertificateSpec]:
    """So many signed certificates, each with the hash of the one before."""
    made: list[WipeCertificateSpec] = []
    for index in range(length):
        draft = document()
        draft |= {"number": f"WC-2026-{index + 1:04d}", "sequence": index + 1, "issued": at(30 + index)}
        if made:
            draft["previousHash"] = certificate_hash(made[-1])
        made.append(sign(WipeCertificateSpec.model_validate(draft), key))
    return made
