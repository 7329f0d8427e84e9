"""How a request says who the user is: one way of signing in a file."""

from __future__ import annotations

from .base import SignInMethod
from .header import Header
from .kubeconfig import kubeconfig_sign_in
from .method import sign_in_method
from .oidc import RefreshTokens
from .token import BearerToken

__all__ = [
    "BearerToken",
    "Header",
    "RefreshTokens",
    "SignInMethod",
    "kubeconfig_sign_in",
    "sign_in_method",
]
