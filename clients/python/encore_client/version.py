"""The version of the client: in the user agent of its calls and on its distribution."""

__version__ = "0.1.0"
