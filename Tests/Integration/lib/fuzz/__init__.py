# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Random conversations with PostgreSQL, held twice: directly and through the pooler. The answers must be the same."""
