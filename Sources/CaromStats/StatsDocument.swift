// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import FoundationEssentials

/// Something that a ``StatsServer`` serves beside its own, or instead of it where the path is the same.
package struct StatsDocument: Sendable {
    let path: String
    let content: @Sendable (_ accept: String?) -> (type: String, body: Data)

    /// - Parameter body: made anew for each request, on no particular thread.
    package init(path: String, contentType: String, body: @escaping @Sendable () -> Data) {
        self.init(path: path) { _ in (contentType, body()) }
    }

    /// - Parameter content: made anew for each request, on no particular thread; told the request's Accept header.
    package init(
        path: String, content: @escaping @Sendable (_ accept: String?) -> (type: String, body: Data)
    ) {
        self.path = path
        self.content = content
    }
}
