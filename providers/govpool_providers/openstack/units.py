"""Units (云使用单位) kept apart: a project, an account and quotas for each."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from govpool_providers.base import UnitLimits, UnitSeen, UnitWant
from govpool_providers.errors import ErrorCode, ProviderError
from govpool_providers.openstack import quotas, tags
from govpool_providers.openstack.client import Cloud, Document, Service
from govpool_providers.openstack.project import Project

MARK = "govpool"
"""Keystone's tag on projects that govpool made."""


class Units:
    """The projects of a pool's units, found by name among those that the pool's account may use."""

    def __init__(self, home: Cloud) -> None:
        self._home = home
        self._settings = home.settings.units
        domain = self._settings.domain
        scoped = self._settings.domain_scope and domain
        self._identity = home.scoped(domain_id=domain, project_id="", project_name="") if scoped else home
        self._open: dict[str, Project] = {}
        self._opening = threading.Lock()

    # -- looking ------------------------------------------------------------------------------------
    def find(self, unit: str) -> Project | None:
        """The unit's project, or None when the account was seen to have no role in one."""
        found = self._usable().get(unit)
        return None if found is None else self._opened(found)

    def all(self) -> tuple[Project, ...]:
        """Every unit's project."""
        return tuple(self._opened(project) for project in self._usable().values())

    def by_unit(self) -> dict[str, Project]:
        """Every unit's project, by unit."""
        return {unit: self._opened(project) for unit, project in self._usable().items()}

    def _usable(self) -> dict[str, str]:
        """Unit to project id: what Keystone lets the account log in to, whoever gave it the role."""
        listed = self._home.listing(Service.IDENTITY, "/auth/projects", "projects")
        existing = {called: unit for unit, called in self._settings.projects.items()}
        found = {}
        domain, prefix = self._settings.domain, self._settings.prefix
        for project in listed:
            name = str(project["name"])
            unit = existing.get(project["id"]) or existing.get(name)
            if unit is None and domain in {"", project["domain_id"]} and name.startswith(prefix):
                unit = name.removeprefix(prefix)
            if unit and project.get("enabled", True):
                found[unit] = str(project["id"])
        return found

    def _opened(self, project: str) -> Project:
        with self._opening:
            if project not in self._open:
                self._open[project] = Project(self._home.scoped(project_id=project))
            return self._open[project]

    # -- making -------------------------------------------------------------------------------------
    def ensure(self, want: UnitWant) -> UnitSeen:
        """See :meth:`Provider.ensure_unit`. Every step looks first, so that a death costs nothing."""
        project = self._usable().get(want.name)
        if project is None:
            project = self._make(want)
        if self._settings.user_role:
            self._ensure_user(want, project)
        limits = quotas.with_sanitiser(want.limits, self._home.settings)
        seen = quotas.of_unit(self._opened(project).cloud, project)
        if seen != limits and self._settings.quotas:
            self._limit(want, project, limits)
            seen = quotas.of_unit(self._opened(project).cloud, project)
        return UnitSeen(project, quotas.without_sanitiser(seen, self._home.settings))

    def _limit(self, want: UnitWant, project: str, limits: UnitLimits) -> None:
        """Set the quotas; with all roles given anew where a death left the account without some of them."""
        try:
            quotas.set_unit(self._opened(project).cloud, project, limits)
        except ProviderError as error:
            if error.code is not ErrorCode.UNAUTHORISED or want.name in self._settings.projects:
                raise
            self._give_roles(project)
            with self._opening:
                del self._open[project]  # its token does not have the new roles
            quotas.set_unit(self._opened(project).cloud, project, limits)

    def _make(self, want: UnitWant) -> str:
        """A project with a role for the pool's own account in it."""
        if called := self._settings.projects.get(want.name):
            raise ProviderError(
                ErrorCode.INVALID,
                f"The account has no role in the project {called!r} of unit {want.name}: give it one.",
            )
        name, domain = self._settings.prefix + want.name, self._domain()
        project = self._only("project", {"name": name, "domain_id": domain})
        if project is None:
            body: Document = {
                "name": name,
                "domain_id": domain,
                "description": want.title[: tags.VALUE_LIMIT],
                "tags": [MARK],
            }
            project = self._create("project", body, {"name": name, "domain_id": domain})
        self._give_roles(project)
        return project

    def _give_roles(self, project: str) -> None:
        for role in self._settings.roles:
            self._assign(project, self._home.user_id, role)

    def _ensure_user(self, want: UnitWant, project: str) -> None:
        """The unit's own account, without a password: its administrator or identity provider gives it one."""
        name, domain = self._settings.prefix + want.name, self._domain()
        user = self._only("user", {"name": name, "domain_id": domain})
        if user is None:
            body: Document = {"name": name, "domain_id": domain, "default_project_id": project}
            user = self._create("user", body, {"name": name, "domain_id": domain})
        self._assign(project, user, self._settings.user_role)

    def _assign(self, project: str, user: str, role: str) -> None:
        found = self._only("role", {"name": role})
        if found is None:
            raise ProviderError(ErrorCode.INVALID, f"The cloud has no role {role!r}: correct units.roles.")
        path = f"/projects/{project}/users/{user}/roles/{found}"
        self._identity.put(Service.IDENTITY, path, {})

    def _create(self, kind: str, body: Document, by: dict[str, str]) -> str:
        """A new one; or, when another operator was faster, that operator's."""
        try:
            return str(self._identity.post(Service.IDENTITY, f"/{kind}s", {kind: body})[kind]["id"])
        except ProviderError as error:
            found = self._only(kind, by) if error.code is ErrorCode.CONFLICT else None
            if found is None:
                raise
            return found

    def _only(self, kind: str, by: dict[str, str]) -> str | None:
        found: Iterable[Document] = self._identity.listing(
            Service.IDENTITY, f"/{kind}s", f"{kind}s", params=by
        )
        return next((str(one["id"]) for one in found), None)

    def _domain(self) -> str:
        if self._settings.domain:
            return self._settings.domain
        path = f"/projects/{self._home.project_id}"
        return str(self._home.get(Service.IDENTITY, path)["project"]["domain_id"])
