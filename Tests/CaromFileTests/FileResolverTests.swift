// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromFile
import CaromTestSupport
import FoundationEssentials
import Glibc
import Testing

@Suite("File resolver")
struct FileResolverTests {
    private struct Failed: Error {}

    private static func replace(_ name: String, in place: TemporaryDirectory, with text: String) throws {
        try place.write(text, to: "new")
        guard rename(place.path("new"), place.path(name)) == 0 else { throw Failed() }
    }

    private static let three = "a 10.0.0.1:1\nb 10.0.0.2:1 weight=3 priority=2 zone=x # good\n\n[::1]:5\n"

    @Test("behaviour 45: a renamed file is one update; a bad line none, and one report with its number")
    func replacement() async throws {
        let place = try TemporaryDirectory()
        try place.write(Self.three, to: "backends")
        let (sets, publish) = AsyncStream.makeStream(of: BackendSet.self)
        let (problems, report) = AsyncStream.makeStream(of: FileResolverError.self)
        let resolver = FileResolver(path: place.path("backends")) { report.yield($0) }
        let task = Task { await resolver.run { publish.yield($0) } }
        var set = sets.makeAsyncIterator()
        var problem = problems.makeAsyncIterator()
        let first = try #require(await set.next())
        #expect(first.backends.map(\.name) == ["a", "b", "[::1]:5"])
        #expect(first.backends[1].weight == 3 && first.backends[1].priority == 2)
        #expect(first.backends[1].attributes == ["zone": "x"])

        try Self.replace("backends", in: place, with: "a 10.0.0.1:1\nb 10.0.0.2:x\n")
        let bad = try #require(await problem.next())
        #expect(bad.line == 2 && bad.text.contains("10.0.0.2:x"))

        try Self.replace("backends", in: place, with: Self.three + "/run/d\n")
        #expect(await set.next()?.backends.count == 4)
        task.cancel()
        await task.value
        publish.finish()
        #expect(await set.next() == nil)
    }

    @Test func aFileThatVanishesKeepsTheLastSet() async throws {
        let place = try TemporaryDirectory()
        try place.write(Self.three, to: "backends")
        let (sets, publish) = AsyncStream.makeStream(of: BackendSet.self)
        let (problems, report) = AsyncStream.makeStream(of: FileResolverError.self)
        let resolver = FileResolver(path: place.path("backends")) { report.yield($0) }
        let task = Task { await resolver.run { publish.yield($0) } }
        var set = sets.makeAsyncIterator()
        var problem = problems.makeAsyncIterator()
        _ = await set.next()
        try FileManager.default.removeItem(atPath: place.path("backends"))
        #expect(await problem.next()?.text.contains("open ") == true)
        try place.write("c 10.0.0.3:1\n", to: "backends")
        #expect(await set.next()?.backends.map(\.name) == ["c"])
        task.cancel()
        await task.value
    }

    @Test func jsonIsReadToo() throws {
        let place = try TemporaryDirectory()
        try place.write(
            #"[{"address": "10.0.0.1:1", "name": "a", "weight": 2, "attributes": {"zone": "x"}}, {"address": "/run/b"}]"#,
            to: "b.json")
        let set = try FileResolver(path: place.path("b.json")).read()
        #expect(set.backends.map(\.name) == ["a", "unix:/run/b"])
        #expect(set.backends[0].weight == 2 && set.backends[0].attributes == ["zone": "x"])
    }

    @Test(
        arguments: [
            ("b.json", "[{]", Int?.none), ("b.json", #"[{"address": "nowhere"}]"#, nil),
            ("b.json", "[]", nil),
            ("b.json", #"[{"address": "10.0.0.1:1", "weight": 70000}]"#, nil), ("b", "", nil),
            ("b", "# nothing\n", nil), ("b", "10.0.0.1:1\na b c\n", 2), ("b", "10.0.0.1:1 weight=-1\n", 1),
            ("b", "10.0.0.1:1 weight\n", 1), ("b", "10.0.0.1:1\n\n10.0.0.1\n", 3), ("b", "name\n", 1),
        ])
    func badFilesAreProblems(name: String, text: String, line: Int?) throws {
        let place = try TemporaryDirectory()
        try place.write(text, to: name)
        #expect {
            try FileResolver(path: place.path(name)).read()
        } throws: {
            ($0 as? FileResolverError)?.line == line
        }
    }

    @Test func aMissingDirectoryIsAProblemAndNotAHang() async {
        let (problems, report) = AsyncStream.makeStream(of: FileResolverError.self)
        let resolver = FileResolver(path: "/nowhere/at/all") { report.yield($0) }
        await resolver.run { _ in }
        report.finish()
        var seen = 0
        for await _ in problems { seen += 1 }
        #expect(seen == 1)
    }
}
