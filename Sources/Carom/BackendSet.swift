// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A complete set of backends, as a resolver publishes it.
public struct BackendSet: Sendable, Equatable {
    /// The backends in the order given, each identity once (the first mention counts).
    public let backends: [Backend]

    /// A set of these backends; duplicates by ``Backend/id`` collapse to the first.
    public init(_ backends: [Backend]) {
        var seen: Set<BackendID> = []
        self.backends = backends.filter { seen.insert($0.id).inserted }
    }

    /// The set without backends.
    public static var empty: BackendSet { BackendSet([]) }
}
