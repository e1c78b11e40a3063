"""Right-sizing (资源调整建议): advice is filed with the authority before the delivery order (YY-19(4))."""

from __future__ import annotations

from govpool.lifecycle.decision import StageResult
from govpool.lifecycle.stages.context import StageContext
from govpool.messages import message
from govpool.rules.right_sizing import advice


def decide(context: StageContext) -> StageResult:
    """Done at once: the advice is the stage's own record, filed in the request's status and story.

    It rests on the figures that were recorded by then. Without any, the only honest advice is to keep what
    was approved, and it says so.
    """
    wanted = {server.metadata.name for server in context.plan.wanted}
    usage = [
        (server.metadata.name, server.status.usage if server.status else None)
        for server in context.observation.servers
        if server.metadata.name in wanted
    ]
    told = advice(context.regulation, usage, context.now)
    if not any(one.figures for one in told):
        return context.done(message("AdviceFiled"), at=context.before)
    figures = "; ".join(f"{one.server}: {one.figures or '-'}" for one in told)
    proposed = "; ".join(
        f"{one.server}: {', '.join(sort.value for sort in one.proposals)} [{', '.join(one.clauses)}]"
        for one in told
        if one.proposals
    )
    text = message("terms.advice-filed", figures=figures, proposed=proposed or "-")
    return context.done(text, at=context.before)
