"""Who may be a party of a pool's contracts (YY-12, YY-13): checked when a party is entered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from govpool.api.cloudpolicy import CloudPolicySpec
from govpool.api.pool_exit import Party, PartyKind
from govpool.messages import message
from govpool.rules.citation import clause
from govpool.rules.refusal import Refusal


def objections(policy: CloudPolicySpec, parties: Iterable[Party]) -> tuple[Refusal, ...]:
    """Every reason why the parties of a pool can't stand as they were entered."""
    rule = policy.parties
    if rule is None:
        return ()
    known = tuple(parties)
    found: list[Refusal] = []
    if rule.dishonest_article is not None:
        found += _dishonest(known, clause(policy, rule.dishonest_article))
    if rule.integrator_article is not None:
        found += _integrator(known, clause(policy, rule.integrator_article))
    return tuple(found)


def _dishonest(parties: tuple[Party, ...], under: str) -> Iterator[Refusal]:
    for party in parties:
        if party.seriously_dishonest:
            yield Refusal("PartyDishonest", message("pool.party-dishonest", party=party.name), under)
        elif party.checked_at is None:
            yield Refusal("PartyUnchecked", message("pool.party-unchecked", party=party.name), under)


def _integrator(parties: tuple[Party, ...], under: str) -> Iterator[Refusal]:
    providers = [party for party in parties if party.kind is PartyKind.PROVIDER]
    for integrator in (party for party in parties if party.kind is PartyKind.INTEGRATOR):
        for provider in providers:
            if _same(integrator, provider):
                text = message("pool.integrator-is-provider", party=integrator.name)
                yield Refusal("IntegratorIsProvider", text, under)
            elif provider.name in integrator.affiliates or integrator.name in provider.affiliates:
                text = message("pool.integrator-affiliated", party=integrator.name, provider=provider.name)
                yield Refusal("IntegratorAffiliated", text, under)


def _same(one: Party, other: Party) -> bool:
    codes = one.credit_code, other.credit_code
    return one.name == other.name or (codes[0] is not None and codes[0] == codes[1])
