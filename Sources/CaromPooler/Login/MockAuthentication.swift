// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol

/// What clients go through for whom there is no route, or one that lets nobody in: the exchange of others of that database, as PostgreSQL's
/// mock authentication. Only who proves to be a user of another route is told why it may not come by this one.
struct MockAuthentication: Sendable {
    private var mocks: [RouteName: ClientAuthentication] = [:]
    private let anywhere: ClientAuthentication
    private var users: [String: [ClientAuthentication]] = [:]

    /// - Parameter routes: in the order of the configuration. The first of a database that asks for something is the one that is imitated.
    ///     Where none asks for anything, and none is blocked, strangers are refused at once: there is nothing to hide.
    init(_ routes: [(RoutePattern, ClientAuthentication)], using cryptography: some ProtocolCryptography) {
        let asking = routes.filter { $0.1.method.asksClient }
        let isOpen = routes.allSatisfy { $0.1.method == .none }
        anywhere = ClientAuthentication(
            imitating: isOpen ? routes.first?.1 : asking.first?.1, using: cryptography)
        for (pattern, authentication) in asking {
            if mocks[pattern.database] == nil {
                mocks[pattern.database] = ClientAuthentication(imitating: authentication, using: cryptography)
            }
            if case .exact(let user) = pattern.user, authentication.appearance != nil {
                users[user, default: []].append(authentication)
            }
        }
    }

    /// What a client goes through. A user of another route has its own password, and with SCRAM its own salt, wherever that cannot
    /// be told from what strangers go through; salts that differ would tell who is none.
    func authentication(database: String, user: String) -> ClientAuthentication {
        let mock = mocks[.exact(database)] ?? mocks[.anything] ?? anywhere
        guard let appearance = mock.appearance else { return mock }
        return users[user]?.first { $0.appearance == appearance } ?? mock
    }
}

extension AuthenticationMethod {
    /// Clients have to prove something.
    fileprivate var asksClient: Bool {
        switch self {
        case .none, .block, .hba: false
        case .clearText, .md5, .scramSHA256, .certificate: true
        }
    }
}
