// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What a build has only if it was asked for.
enum PackageTrait: String, CaseIterable, Sendable {
    case pam = "PAM"
    case ldap = "LDAP"

    /// Those of this build.
    static let built: Set<PackageTrait> = {
        var traits: Set<PackageTrait> = []
        #if PAM
            traits.insert(.pam)
        #endif
        #if LDAP
            traits.insert(.ldap)
        #endif
        return traits
    }()

    /// What a build without it says to whoever wants it.
    var need: String { "needs a build with the package trait \(rawValue)" }
}
