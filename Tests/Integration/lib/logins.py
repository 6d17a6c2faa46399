# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Users whose passwords somebody beside the pooler knows."""

from .wire import ServerError

PASSWORD = "a pencil ✓ Secret"


def attempt(pooler, user="ann", password=PASSWORD, database="shop", **options):
    """`in`, or the SQLSTATE of the refusal. On its server each of them is `bench`."""
    try:
        with pooler.connect(user=user, database=database, password=password, **options) as wire:
            assert wire.value("select current_user") == "bench"
        return "in"
    except ServerError as refusal:
        return refusal.code
