// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Where a client goes once it has proved who it is.
enum Destination {
    /// To the servers of a route.
    case relay(Route)
    /// To the pooler itself: its route's storage has `type "local"`.
    case console(ConsoleContext, ConsoleRole)
}
