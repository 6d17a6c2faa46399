// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration

/// What a client of the console may do. Who is not named may not come in.
enum ConsoleRole: Equatable, Sendable {
    /// Everything.
    case admin
    /// Look at tables.
    case stats

    /// How it is known who a client is.
    enum Proof: Equatable, Sendable {
        /// By its word.
        case none
        /// By a password or a certificate.
        case authenticated
        /// Over a Unix socket, as the user that runs the pooler, who could end it as well by a signal.
        case owner
    }

    /// Of a user of this name; nil for one that neither `admin_users` nor `stats_users` name. Whoever only says that it is one
    /// of them may look.
    init?(of user: String, _ proof: Proof, _ settings: Settings) {
        if settings.adminUsers.contains(user) {
            self = proof == .none ? .stats : .admin
        } else if settings.statsUsers.contains(user) {
            self = .stats
        } else {
            return nil
        }
    }

    /// Whether it may give a command.
    func mayRun(_ command: (some ConsoleCommand).Type) -> Bool { self == .admin || !command.needsAdmin }
}
