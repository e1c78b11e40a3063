"""`python -m govpool.standalone --state-dir DIR`: run a control plane and print its URL once it answers."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from .server import ControlPlane, serve


def _say(plane: ControlPlane) -> None:
    sys.stdout.write(plane.url + "\n")
    sys.stdout.flush()


def main() -> None:
    """Parse the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m govpool.standalone", description=__doc__)
    parser.add_argument("--state-dir", type=Path, required=True, help="directory for data and kubeconfigs")
    parser.add_argument(
        "--port", type=int, default=0, help="port on 127.0.0.1; 0 keeps the last one or takes a free one"
    )
    parser.add_argument(
        "--insecure-http", action="store_true", help="no TLS, for measurements on one machine"
    )
    parser.add_argument("--unit-namespace", default="default", help="namespace of the user `unit`")
    given = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    serve(
        given.state_dir,
        given.port,
        tls=not given.insecure_http,
        unit_namespace=given.unit_namespace,
        ready=_say,
    )


if __name__ == "__main__":
    main()
