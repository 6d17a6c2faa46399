// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// The shortest configuration that is one.
let smallest = """
    listen { host "*" }
    storage "pg" { type "remote" host "127.0.0.1" }
    database default {
        user default { authentication "none" storage "pg" pool "session" }
    }
    """
