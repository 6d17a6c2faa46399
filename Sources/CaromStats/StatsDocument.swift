// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import FoundationEssentials

/// Something that a ``StatsServer`` serves beside its own, or instead of it where the path is the same.
package struct StatsDocument: Sendable {
    /// What somebody who asks is told.
    package struct Content: Sendable {
        let type: String
        let body: Data
        /// Told with status 503 instead of 200.
        let isUnavailable: Bool

        package init(type: String, body: Data, isUnavailable: Bool = false) {
            self.type = type
            self.body = body
            self.isUnavailable = isUnavailable
        }
    }

    let path: String
    let content: @Sendable (_ accept: String?) -> Content

    /// - Parameter content: made anew for each request, on no particular thread; told the request's Accept header.
    package init(path: String, content: @escaping @Sendable (_ accept: String?) -> Content) {
        self.path = path
        self.content = content
    }
}
