"""How a request says who the user is: one way of signing in a file."""

from __future__ import annotations

from .base import SignInMethod
from .header import Header
from .method import sign_in_method
from .token import BearerToken

__all__ = ["BearerToken", "Header", "SignInMethod", "sign_in_method"]
