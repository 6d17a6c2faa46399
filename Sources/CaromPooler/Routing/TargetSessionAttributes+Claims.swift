// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration
import CaromPostgresProtocol

/// What `target_session_attrs` means to a pool.
extension TargetSessionAttributes {
    /// What servers must match, by the attributes that `PostgresConnector` gives them.
    private var requirement: [String: String] {
        switch self {
        case .any: [:]
        case .readWrite: ["access": "read-write"]
        case .readOnly: ["access": "read-only"]
        case .primary: ["role": "primary"]
        case .standby, .preferStandby: ["role": "standby"]
        }
    }

    /// A claim for such a server.
    var request: ClaimRequest {
        if self == .any { return .any }
        var request = ClaimRequest(requirement: requirement)
        request.isPreference = self == .preferStandby
        return request
    }

    /// What one server of a storage should be.
    static let exclusive = ["role": "primary"]

    /// To which servers a pool opens connections whose clients all want such a one.
    var scope: Policy.Scope {
        switch self {
        case .any: .all
        case .preferStandby: .preferring(requirement)
        case .readWrite, .readOnly, .primary, .standby: .only(requirement)
        }
    }
}

/// What a client asks for in its startup message.
extension TargetSessionAttributes {
    /// libpq's name and Odyssey's.
    private static let names: Set<String> = ["target_session_attrs", "odyssey.target_session_attrs"]

    /// Whether a setting of this name is no session setting but a choice of server.
    static func isName(_ name: String) -> Bool { names.contains(name.lowercased()) }

    /// The last that is asked for, in `options` or as a parameter; nil if none is, or none that there is.
    init?(askedForBy startup: StartupMessage) {
        let options = startup.options.map { StartupOptions($0).settings } ?? []
        let value = (options + startup.parameters).last { Self.isName($0.name) }?.value
        guard let value, let target = Self(rawValue: value) else { return nil }
        self = target
    }
}
