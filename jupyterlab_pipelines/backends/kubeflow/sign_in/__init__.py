"""How a request says who the user is: one way of signing in a file."""

from __future__ import annotations

from .base import SignInMethod
from .header import Header
from .kubeconfig import KubeconfigSignIn
from .method import sign_in_method
from .oidc import RefreshTokens
from .token import BearerToken

__all__ = [
    "BearerToken",
    "Header",
    "KubeconfigSignIn",
    "RefreshTokens",
    "SignInMethod",
    "sign_in_method",
]
