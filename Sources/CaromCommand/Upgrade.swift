// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// `carom upgrade FILE`: runs the pooler in place of one that is running.
struct Upgrade: ServingCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the pooler in place of the one that is running, and keep its clients.",
        discussion: """
            Asks the pooler that listens on upgrade_socket for its listening sockets and its clients, and then is what \
            carom serve is. Clients go on over the same connections, each when it is between two transactions. Those with \
            TLS, of session pools, at the console and for replication stay with the old process until they leave or \
            upgrade_timeout is over; it ends with the last of them.

            Exit code 1 when it could not start, or the old process did not agree; that one goes on undisturbed then.
            """)

    @OptionGroup var options: ServiceOptions

    var takesOver: Bool { true }
}
