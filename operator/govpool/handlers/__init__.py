"""Kopf carries the watch streams, authentication and the shutdown; it decides nothing."""
