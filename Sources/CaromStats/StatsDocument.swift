// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import FoundationEssentials

/// Something that a ``StatsServer`` serves beside its own, or instead of it where the path is the same.
package struct StatsDocument: Sendable {
    let path: String
    let contentType: String
    let body: @Sendable () -> Data

    /// - Parameter body: made anew for each request, on no particular thread.
    package init(path: String, contentType: String, body: @escaping @Sendable () -> Data) {
        self.path = path
        self.contentType = contentType
        self.body = body
    }
}
