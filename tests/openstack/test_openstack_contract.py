"""The provider contract, on OpenStack: the suite itself, with this folder's pool."""

from test_contract import *  # noqa: F403
