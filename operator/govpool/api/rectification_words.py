"""Words that policies and notices share: what was found, what is done about it."""

from __future__ import annotations

from enum import StrEnum


class NoticeFinding(StrEnum):
    """What a rectification notice (整改通知) is about."""

    EXPAND = "Expand"
    """More is advised than the system has."""
    REDUCE = "Reduce"
    """Use is low: less is advised."""
    ZOMBIE = "Zombie"
    """Nobody uses the system (僵尸系统)."""
    OUT_OF_BAND = "OutOfBand"
    """Use lies outside the band in which it shall lie."""
    STILL_LOW = "StillLowAfterReduction"
    """Still low within three months after a reduction (调减后仍较低)."""
    UNUSED_TRIAL = "UnusedTrial"
    """The trial ended and nobody had used it (逾期未使用)."""
    EVIDENCE_LAPSED = "EvidenceLapsed"
    """An assessment or filing is missing or no longer valid."""
    MAKE_GOOD_OVERDUE = "MakeGoodOverdue"
    """What an older system had to make good did not come in time."""
    EMERGENCY_PAPERS_OVERDUE = "EmergencyPapersOverdue"
    """The papers of what was issued in an emergency did not come in time."""
    CLOCK_OVERDUE = "ClockOverdue"
    """Something else that the unit must do is overdue."""
    UNLAWFUL_SECURITY = "UnlawfulSecurity"
    """The system breaks the rules on security and cryptography."""
    VULNERABILITY = "Vulnerability"
    """The system has vulnerabilities that put information at risk."""
    OTHER_USE = "OtherUse"
    """Resources are used for something else than applied for."""
    GRAVE_DANGER = "GraveDanger"
    """A grave danger or an attack that may have grave consequences (重大隐患、恶意攻击)."""
    OTHER = "Other"
    """Another breach of law, policy or the regulation."""


class Enforcement(StrEnum):
    """What is done when a notice is not heeded."""

    STOP_ISSUING = "StopIssuing"
    """The unit is issued nothing more (停止发放云资源)."""
    FORCED_SHUTDOWN = "ForcedShutdown"
    """The system's servers are powered off; nothing is deleted (强制关机)."""
    DEREGISTRATION = "Deregistration"
    """The system leaves the cloud by the whole proven way: backup, wipe, certificate (资源注销)."""
    ISOLATION = "Isolation"
    """The system's servers are cut from every network and keep running (断开网络)."""
