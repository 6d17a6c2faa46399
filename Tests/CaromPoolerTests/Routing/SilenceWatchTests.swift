// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgres
import Testing

@testable import CaromPooler

@Suite struct SilenceWatchTests {
    private static func backend(_ name: String) -> BackendID {
        Backend(name: name, address: .ip("127.0.0.1", port: 5432)).id
    }

    private static func silent(_ found: [String: ServerPresence], of pool: [String]) -> Set<BackendID> {
        var watch = SilenceWatch()
        for (name, presence) in found { watch.note(backend(name), presence) }
        return watch.silent(of: pool.map(backend))
    }

    @Test func whoAnswersNothingWhileAnotherDoesIsSilent() {
        #expect(
            Self.silent(["a": .silent, "b": .answering, "c": .unreachable], of: ["a", "b", "c"])
                == [Self.backend("a")])
    }

    @Test func ifNobodyAnswersItMayBeUs() {
        #expect(Self.silent(["a": .silent, "b": .silent, "c": .unreachable], of: ["a", "b", "c"]).isEmpty)
        #expect(Self.silent(["a": .silent], of: ["a"]).isEmpty)
    }

    @Test func theServersOfAnotherPoolAreNoSiblings() {
        #expect(Self.silent(["a": .silent, "b": .answering], of: ["a"]).isEmpty)
        #expect(Self.silent(["a": .answering], of: ["a", "b"]).isEmpty)
    }
}
