// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import Carom

/// Is told of server connections that come and go, for a log.
package protocol ConnectionObserver: Sendable {
    /// A connection was made and has logged in.
    func opened(_ connection: PostgresConnection)

    /// A connection could not be made.
    func failed(_ backend: Backend, _ error: PostgresError)

    /// A connection is closed.
    func closed(_ connection: PostgresConnection)
}
