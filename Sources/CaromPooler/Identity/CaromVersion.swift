// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// The version of this program.
package enum CaromVersion {
    /// As in `carom --version`, `SHOW VERSION` and the statistics.
    package static let number = "0.1.0"
}
