"""Who acts under a regulation."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """Who acts. A role is a group of the API server's users, or the operator itself."""

    UNIT = "unit"
    """The using unit (云使用单位)."""
    SPONSOR = "sponsor"
    """The competent department that applies for a subordinate or outside unit (主管部门)."""
    ACCEPTOR = "acceptor"
    """The authority's desk that accepts applications (受理)."""
    REVIEWER = "reviewer"
    """The authority's reviewer (审核)."""
    EXPERT = "expert"
    """The professional body that assesses (专家评审)."""
    OPERATOR = "operator"
    """The technical organ (云技术保障部门), carried out by govpool."""
    PROVIDER = "provider"
    """The cloud service provider (云服务商)."""
    SUPERVISOR = "supervisor"
    """Who supervises (督办): is told of clocks that ran out, and decides nothing in anybody's place."""
