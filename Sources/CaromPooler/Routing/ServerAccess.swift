// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgres
import CaromReactor
import CaromTLS

/// How the servers of a route are found and logged in to. As long as this stays the same, a route whose other settings change keeps
/// its servers.
struct ServerAccess: Equatable, Sendable {
    private let storage: StorageSettings
    private let resolvers: [ResolverSettings]
    private let database: String?
    private let user: String?
    private let password: Secret?
    private let authFile: String?
    private let targets: [String]
    private let startupOptions: [SessionParameter]
    private let cancels: Bool
    private let rollsBack: Bool
    private let resetTimeout: Duration?
    private let queries: [String?]
    private let tcp: TCPOptions
    private let isDebugging: Bool
    /// Another one when a certificate or key has changed.
    private let encryption: ObjectIdentifier?

    /// - Parameter resolvers: all that says where the servers of the storage are.
    init(
        _ route: RouteSettings, _ storage: StorageSettings, _ resolvers: [ResolverSettings],
        _ tcp: TCPOptions,
        _ encryption: ServerEncryption? = nil
    ) {
        var storage = storage
        // How many there may be, and who watches them, says nothing of how they are reached.
        storage.maxConnections = nil
        storage.watchdog = nil
        self.storage = storage
        self.resolvers = resolvers
        database = route.storageDatabase
        user = route.storageUser
        password = route.serverPassword
        authFile = password == nil ? route.authFile : nil
        let choice = route.clientTargetSessionAttributes ? "the client's" : ""
        targets = [route.targetSessionAttributes?.rawValue ?? "", choice]
        startupOptions = route.backendStartupOptions
        cancels = route.poolCancel
        rollsBack = route.poolRollback
        resetTimeout = route.poolResetTimeout
        queries = [route.hooks.connectQuery, route.hooks.checkQuery, route.hooks.resetQuery]
        self.tcp = tcp
        isDebugging = route.logDebug
        self.encryption = encryption.map { ObjectIdentifier($0.context) }
    }
}
