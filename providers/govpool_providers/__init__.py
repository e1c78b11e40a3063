"""Cloud resource pools behind one small contract: see :mod:`govpool_providers.base`."""
