"""``govpool demo``: the main job, end to end, on this machine."""

from govpool.cli.demo.command import demo

__all__ = ["demo"]
