// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol
import Testing

@testable import CaromPooler

private func stops(_ text: String) -> UnlistenedChannels {
    UnlistenedChannels(in: Array(text.utf8).span.bytes)
}

/// A client that listens to these.
private func listener(to names: Set<String>) -> ClientChannels {
    let channels = ClientChannels()
    _ = channels.run(stopping: UnlistenedChannels(), mayStart: true, isAlone: true)
    _ = channels.settle(ChannelInquiry.Answer(channels: names), isAwaited: false)
    channels.settled(nil)
    return channels
}

@Suite struct ClientChannelsTests {
    @Test func whatTheServerListensToIsAddedAndTheClientWaitsForTheHub() {
        let channels = ClientChannels()
        #expect(channels.isEmpty)
        #expect(channels.run(stopping: UnlistenedChannels(), mayStart: true, isAlone: true) == nil)
        #expect(channels.isUnsettled)
        #expect(channels.settle(ChannelInquiry.Answer(channels: ["a"]), isAwaited: true))
        #expect(channels.isWaiting && !channels.isUnsettled && channels.names == ["a"] && !channels.isEmpty)
        channels.settled(nil)
        #expect(channels.takeHeard() == ReadyForQuery.idleMessage && !channels.isWaiting)
    }

    @Test func nothingIsAskedOfTheHubIfNothingHasChanged() {
        let channels = listener(to: ["a"])
        _ = channels.run(stopping: UnlistenedChannels(), mayStart: true, isAlone: true)
        #expect(!channels.settle(ChannelInquiry.Answer(channels: ["a"]), isAwaited: true))
        #expect(!channels.isWaiting && channels.takeHeard().isEmpty)
    }

    @Test func aStopInABlockCountsIfItsMarkIsThere() {
        let channels = listener(to: ["a", "b"])
        #expect(channels.run(stopping: stops("unlisten a"), mayStart: false, isAlone: false) == 0)
        #expect(channels.run(stopping: stops("unlisten b"), mayStart: false, isAlone: false) == 1)
        channels.requestEnded(hasFailed: false)
        #expect(channels.names == ["a", "b"], "the transaction is not over")
        #expect(channels.settle(ChannelInquiry.Answer(marks: [1]), isAwaited: true))
        #expect(channels.names == ["a"])
    }

    @Test func whatIsBegunAgainBehindAStopLasts() {
        let channels = listener(to: ["a", "b"])
        _ = channels.run(stopping: stops("unlisten *"), mayStart: true, isAlone: false)
        #expect(channels.settle(ChannelInquiry.Answer(channels: ["a"], marks: [0]), isAwaited: true))
        #expect(channels.names == ["a"])
    }

    @Test(arguments: [false, true]) func aStopAloneCountsUnlessItsRequestFails(_ hasFailed: Bool) {
        let channels = listener(to: ["a", "b"])
        #expect(channels.run(stopping: stops("unlisten a"), mayStart: false, isAlone: true) == nil)
        channels.requestEnded(hasFailed: hasFailed)
        #expect(channels.settle(ChannelInquiry.Answer(), isAwaited: true) == !hasFailed)
        #expect(channels.names == (hasFailed ? ["a", "b"] : ["b"]))
    }

    @Test func aStopOfNothingChangesNothing() {
        let channels = ClientChannels()
        #expect(channels.run(stopping: stops("unlisten *"), mayStart: false, isAlone: true) == nil)
        #expect(!channels.isUnsettled && channels.isEmpty)
    }

    @Test func manyStopsShareTheLastMark() {
        let channels = listener(to: ["a", "b", "c40"])
        var marks: [Int?] = []
        for number in 0..<50 {
            marks.append(
                channels.run(stopping: stops("unlisten c\(number)"), mayStart: false, isAlone: false))
        }
        #expect(marks.compactMap(\.self).count == 50 && marks.last == marks[49] && marks[49] == marks[40])
        #expect(channels.settle(ChannelInquiry.Answer(marks: [marks[49] ?? 0]), isAwaited: false))
        #expect(channels.names == ["a", "b"])
    }

    @Test func withALostServerNothingHasChanged() {
        let channels = listener(to: ["a"])
        _ = channels.run(stopping: stops("unlisten a"), mayStart: true, isAlone: true)
        channels.abandonTransaction()
        #expect(!channels.isUnsettled && channels.names == ["a"])
        channels.requestEnded(hasFailed: false)
        #expect(channels.names == ["a"])
    }

    @Test func aClientThatCannotBeListenedForIsTold() throws {
        let channels = listener(to: ["a"])
        _ = channels.run(stopping: UnlistenedChannels(), mayStart: true, isAlone: true)
        _ = channels.settle(ChannelInquiry.Answer(channels: ["b"]), isAwaited: true)
        channels.settled(PostgresError(.connection, "no server is known"))
        let told = channels.takeHeard()
        #expect(told.first == BackendTag.errorResponse.rawValue)
        #expect(Array(told.suffix(6)) == ReadyForQuery.idleMessage)
        #expect(channels.names == ["a"])
    }

    @Test func onlyWhatIsListenedToIsHeard() {
        let channels = listener(to: ["a"])
        #expect(channels.hear([1, 2], on: "a") && channels.hear([3], on: "b") && channels.hear([4], on: "a"))
        #expect(channels.takeHeard() == [1, 2, 4] && channels.takeHeard().isEmpty)
    }

    @Test func tooMuchIsTooMuch() {
        let channels = listener(to: ["a"])
        let half = [UInt8](repeating: 0, count: ClientChannels.mostBytes / 2)
        #expect(channels.hear(half, on: "a") && channels.hear(half, on: "a") && !channels.hear([0], on: "a"))
    }
}

@Suite struct ChannelDirectoryTests {
    @Test func listenersHearWhatTheyListenToNow() {
        var directory = ChannelDirectory()
        #expect(directory.isEmpty)
        directory.set(["a", "b"], of: 1)
        directory.set(["b"], of: 2)
        #expect(directory.heard(on: "b") == [1, 2] && directory.heard(on: "a") == [1])
        #expect(directory.heard(on: "c").isEmpty)
        directory.set(["c"], of: 1)
        #expect(directory.names == ["b", "c"] && directory.heard(on: "b") == [2])
        #expect(directory.all.map(\.name) == ["b", "c"] && directory.all.map(\.listeners) == [1, 1])
        #expect(directory.all.map(\.messages) == [2, 0])
        directory.set([], of: 1)
        directory.set([], of: 2)
        #expect(directory.isEmpty && directory.names.isEmpty)
    }
}
