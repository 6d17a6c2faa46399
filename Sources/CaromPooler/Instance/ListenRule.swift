// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration

/// What the configuration says about one place where clients are accepted; a reference, as every client there keeps it.
final class ListenRule: Sendable {
    let settings: ListenSettings

    init(_ settings: ListenSettings) { self.settings = settings }
}
