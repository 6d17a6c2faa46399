// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What a build has only if it was asked for.
enum PackageTrait: String, CaseIterable, Sendable {
    case pam = "PAM"

    /// Those of this build.
    static let built: Set<PackageTrait> = {
        #if PAM
            return [.pam]
        #else
            return []
        #endif
    }()

    /// What a build without it says to whoever wants it.
    var need: String { "needs a build with the package trait \(rawValue)" }
}
