// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// What a server has answered to an `auth_query`.
enum AuthQueryAnswer: Equatable, Sendable {
    /// The secret of that very user; for SCRAM with what a client is checked against.
    case found(StoredSecret, verifier: SCRAMVerifier? = nil)
    /// There is none that could let the user in, because of this.
    case nothing(String)
    /// The server could not be asked.
    case failed(String)

    /// - Parameter rows: of the result, each as its cells; nil is SQL's null.
    init(_ rows: [[String?]], of user: String) {
        guard let row = rows.first else {
            self = .nothing("the query has no row for it")
            return
        }
        guard rows.count == 1 else {
            self = .nothing("the query has \(rows.count) rows for it")
            return
        }
        guard row.count == 2 else {
            self = .failed("the query must have two columns, user and secret; it has \(row.count)")
            return
        }
        // By their bytes: names that only look the same are two.
        guard let name = row[0], name.utf8.elementsEqual(user.utf8) else {
            self = .nothing("the row is another user's")
            return
        }
        guard let secret = row[1], !secret.isEmpty else {
            self = .nothing("it has no secret, or one that is no longer valid")
            return
        }
        guard secret.utf8.count <= Self.longestSecret else {
            self = .nothing("its secret is too long")
            return
        }
        self = .found(StoredSecret(secret))
    }

    /// What failed is asked again.
    var isKept: Bool { if case .failed = self { false } else { true } }

    private static let longestSecret = 65_530
}
