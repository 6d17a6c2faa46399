// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgresProtocol

/// What the configuration says about the clients of one route.
///
/// A reference, because its settings are many: a session that handed them from step to step would carry copies of them all
/// its life, in the memory of its task.
final class RouteRule: Sendable {
    let settings: RouteSettings
    /// What a client is checked against with SCRAM; made once for a plain password, because making it is meant to be slow.
    let verifier: SCRAMVerifier?

    /// Counts the clients of a route that leads to the console; nil for one that leads to servers.
    let console: Admission?

    /// - Parameter isConsole: its storage has `type "local"`.
    init(_ settings: RouteSettings, isConsole: Bool, cryptography: some ProtocolCryptography) {
        self.settings = settings
        console = isConsole ? Admission(limit: settings.clientMax) : nil
        guard settings.authentication == .scramSHA256, let password = settings.password?.reveal() else {
            verifier = nil
            return
        }
        verifier = StoredSecret(password).verifier(
            salt: cryptography.randomBytes(SCRAM.saltSize), using: cryptography)
    }
}
