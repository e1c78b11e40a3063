"""The wipe certificate as one printable page, Chinese and English together, without outside resources."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from govpool.api.wipecertificate import GENESIS, Sanitisation, WipeCertificateSpec
from govpool.rules.certificate import certificate_hash, missing

_BEIJING = timezone(timedelta(hours=8))

_WORDS: dict[str, str] = {
    "Clear": "清除",
    "Purge": "净化",
    "Destroy": "销毁",
    "OverwriteKeyedStream": "密钥流覆写",
    "CryptographicErase": "密码擦除",
    "PhysicalDestruction": "物理销毁",
    "Disk": "数据盘",
    "RootDisk": "系统盘",
    "Snapshot": "快照",
    "Backup": "备份",
    "Image": "镜像",
    "RecycleBin": "回收站",
    "Deleted": "已删除",
    "KeyDestroyed": "密钥已销毁",
    "HandedOver": "已移交使用单位",
    "Present": "仍存在",
    "InPlace": "原位覆写",
    "CopyOnWrite": "写时复制",
    "Encrypted": "加密存储",
    "Full": "全盘回读",
    "Sampled": "抽样回读",
    "Passed": "通过",
    "Failed": "未通过",
    "Done": "已执行",
    "NotSupported": "存储不支持",
    "Kept": "未执行",
    "BusinessCancelledByPolicy": "因政策取消业务",
    "SupersededBySuperiorPlatform": "由上级统一平台取代",
    "MergedIntoDistrictPlatform": "并入区级平台",
    "FunctionOutdatedByUpgrade": "升级后功能淘汰",
    "OtherRequiredByPolicy": "政策要求的其他情形",
    "NoLongerNeeded": "不再需要",
    "operator": "云技术保障部门",
    "reviewer": "审核人员",
    "acceptor": "受理人员",
    "unit": "使用单位",
}
"""Chinese for the words that programs use."""


def render_page(certificate: WipeCertificateSpec) -> str:
    """The page as HTML. A certificate that is not complete and signed is marked as a draft, large."""
    return (
        _environment()
        .get_template("certificate_page.html.j2")
        .render(
            c=certificate,
            hash=certificate_hash(certificate),
            draft=certificate.signature is None or bool(missing(certificate)),
            first=certificate.previous_hash == GENESIS,
            total=sum(medium.size_bytes for medium in certificate.media),
            tools="; ".join(sorted({f"{done.tool} {done.tool_version}" for done in _done(certificate)})),
            absent=all(
                m.absence and m.absence.disk_absent and not m.absence.copies_found for m in certificate.media
            ),
            residual=[medium for medium in certificate.media if medium.residual_risk],
        )
    )


def _done(certificate: WipeCertificateSpec) -> Iterator[Sanitisation]:
    return (medium.sanitisation for medium in certificate.media if medium.sanitisation)


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.filters |= {
        "zh": lambda word: _WORDS.get(str(word), str(word)),
        "bytes": _bytes,
        "moment": _moment,
        "groups": _groups,
        "percent": lambda share: f"{share * 100:.4g} %",
    }
    return environment


def _bytes(count: int) -> str:
    for unit, size in (("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size:
            return f"{count / size:.4g} {unit}"
    return f"{count} B"


def _moment(moment: datetime | None) -> str:
    """Beijing time, which is what the people who read it live by."""
    return "—" if moment is None else moment.astimezone(_BEIJING).strftime("%Y-%m-%d %H:%M")


def _groups(text: str) -> Markup:
    """A long hash that may break after every eighth character, and nowhere else."""
    return Markup("<wbr>").join(text[start : start + 8] for start in range(0, len(text), 8))
