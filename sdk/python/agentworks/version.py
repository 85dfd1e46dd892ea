"""Which SDK this is, as REGISTER tells the broker. pyproject.toml reads it from here."""

__version__ = "0.1.0"
SDK_VERSION = f"python/{__version__}"
