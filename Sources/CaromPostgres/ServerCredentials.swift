// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import CaromPostgresProtocol

/// Where the secret for logins to servers comes from when it is not configured: asked at each login, so that what changes holds for the
/// connections to come.
package protocol ServerCredentials: Sendable {
    /// What is known of the password now; nil if nothing is.
    var secret: StoredSecret? { get }
    /// What opens servers that have the same SCRAM verifier, where a verifier is all that is known.
    var keys: SCRAMUserKeys? { get }
}
