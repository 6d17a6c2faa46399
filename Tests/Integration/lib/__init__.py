# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""The parties of a test: throwaway servers, the pooler under test, and raw clients. Standard library only."""
