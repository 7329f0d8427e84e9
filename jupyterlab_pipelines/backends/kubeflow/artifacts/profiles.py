"""Credentials of the user's AWS profile, as on a laptop, where boto3 is installed to read it."""

from __future__ import annotations

import os
from typing import Any

#: Credentials that the store's own client finds by itself; they come before a profile's.
_FOUND = frozenset(
    {
        "AWS_ACCESS_KEY_ID",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    }
)


def profile_credentials() -> Any | None:
    """What gives a store the keys of `AWS_PROFILE`, or of the default one; null: there is none.

    It reads files and may sign in: for a thread.
    """
    if os.environ.keys() & _FOUND:
        return None
    try:
        import boto3
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError:
        return None
    session = boto3.Session()
    if not session.available_profiles:
        return None
    try:
        return Boto3CredentialProvider(session)
    except ValueError:  # a profile without keys
        return None
