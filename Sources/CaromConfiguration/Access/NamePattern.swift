// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A regular expression for names, in Swift's grammar, which has PostgreSQL's common forms. It need not match the whole name.
///
/// Compiled at each use: a compiled one is not for several threads.
struct NamePattern: Equatable, Sendable {
    private let text: String

    /// Nil for a name that is meant as it is: one that does not begin with a slash.
    ///
    /// - Throws: what is wrong with it.
    init?(ofName name: String) throws(Trouble) {
        guard name.first == "/" else { return nil }
        text = String(name.dropFirst())
        if expression == nil { throw Trouble(description: "\(quoted(text)) is no regular expression") }
    }

    struct Trouble: Error, CustomStringConvertible {
        let description: String
    }

    func matches(_ name: String) -> Bool { match(in: name) != nil }

    /// Whether it matches, and what its first group is then; nil for a group that is not there.
    func firstGroup(in name: String) -> (isMatch: Bool, group: Substring?) {
        guard let match = match(in: name) else { return (false, nil) }
        return (true, match.output.count > 1 ? match.output[1].substring : nil)
    }

    private func match(in name: String) -> Regex<AnyRegexOutput>.Match? {
        expression.flatMap { try? $0.firstMatch(in: name) }
    }

    /// By scalars: names that only look the same are two.
    private var expression: Regex<AnyRegexOutput>? {
        try? Regex(text).matchingSemantics(.unicodeScalar)
    }
}
