// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// How often something must be missing before it is believed to be gone.
///
/// Only definite answers count; a timeout or a failing server says nothing. An answer that contains the member again
/// starts the count anew.
public struct DNSRemovalRule: Hashable, Sendable {
    /// Consecutive answers without a member that remove it. At least 1.
    public var answers: Int
    /// The same for an answer that lacks more than half of the members, or all. At least `answers`.
    public var answersForMost: Int
    /// Answers closer together than this count once.
    public var spacing: Duration

    /// Two answers, three if most would go, at least 5 s apart.
    public init(answers: Int = 2, answersForMost: Int = 3, spacing: Duration = .seconds(5)) {
        self.answers = answers
        self.answersForMost = answersForMost
        self.spacing = spacing
    }
}
