// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// What a client has shown to know and its route's servers are opened with, on its way to another process.
struct PassedCredentials: Equatable, Sendable {
    var keys: SCRAMUserKeys?
    var secret: StoredSecret?

    /// Nil if there is nothing.
    init?(_ passed: PassedKeys) {
        keys = passed.value
        secret = passed.secret
        if keys == nil, secret == nil { return nil }
    }

    /// They open the route's servers from now on, unless a client that has logged in here has shown others.
    func keep(for route: Route) {
        let passed = route.history.passedKeys
        if let keys, passed.value == nil { passed.keep(keys) }
        if let secret, passed.secret == nil { passed.keep(secret) }
    }
}

extension PassedCredentials {
    func encode(into writer: inout HandOverWriter) {
        writer.put(keys) { writer, keys in
            writer.put(keys.keys.clientKey)
            writer.put(keys.keys.serverKey)
            writer.put(keys.salt)
            writer.put(UInt32(clamping: keys.iterations))
        }
        // In PostgreSQL's form, which tells what it is.
        writer.put(secret) { writer, secret in
            switch secret {
            case .plain(let bytes), .md5(let bytes): writer.put(bytes)
            case .scram(let verifier): writer.put(verifier.encoded)
            }
        }
    }

    init(from reader: inout HandOverReader) throws(HandOverError) {
        keys = try reader.optional { (reader) throws(HandOverError) in
            SCRAMUserKeys(
                SCRAMKeys(clientKey: try reader.data(), serverKey: try reader.data()),
                salt: try reader.data(), iterations: Int(try reader.number(UInt32.self)))
        }
        secret = try reader.optional { (reader) throws(HandOverError) in StoredSecret(try reader.data()) }
    }
}
