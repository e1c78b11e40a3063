"""govpool runs a government cloud by its own regulation (政务云管理办法)."""

__version__ = "0.1.0"
