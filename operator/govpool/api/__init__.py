"""The kinds of ``govpool.dev/v1alpha1``: one module per kind; :mod:`govpool.api.kinds` lists them."""
