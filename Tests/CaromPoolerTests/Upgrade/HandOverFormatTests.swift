// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol
import CaromReactor
import Testing

@testable import CaromPooler

/// What two processes say to one another, as bytes.
@Suite struct HandOverFormatTests {
    static let messages: [HandOverMessage] = [
        .hello(version: 1), .welcome(version: 1, process: 4711), .refusal("not now: é"),
        .begin(process: 12, limit: nil), .begin(process: 12, limit: 90_000), .accept(1 << 48 | 7),
        .decline(3, reason: "no route"), .listening([]),
        .listening([SocketAddress(.ip("::1", port: 6432)), SocketAddress(.unix(path: "/run/x"))]), .stop,
        .listener(SocketAddress(.ip("127.0.0.1", port: 5432)), ownsFile: false),
        .listener(SocketAddress(.unix(path: "/run/.s.PGSQL.5432")), ownsFile: true), .ready, .begun,
        .client(9, SampleState.full), .client(10, SampleState.bare), .commit(9), .withdraw(9), .use(3),
        .settled,
        .cancel(5, CancelRequest(processID: 77, key: [1, 2, 3, 4])), .cancelled(5),
    ]

    @Test(arguments: messages)
    func aMessageIsTheSameBehindItsBytes(_ message: HandOverMessage) throws {
        #expect(try HandOverMessage(message.bytes) == message)
    }

    @Test(arguments: messages)
    func noBeginningOfAMessageIsTakenForTheWhole(_ message: HandOverMessage) {
        let bytes = message.bytes
        for count in 0..<bytes.count {
            let error = #expect(throws: HandOverError.self) { try HandOverMessage(Array(bytes[..<count])) }
            #expect("\(error!)".count > 10, "it is said in words")
        }
    }

    @Test(arguments: messages)
    func anyChangedByteIsRefusedOrIsAnotherMessage(_ message: HandOverMessage) {
        let bytes = message.bytes
        for place in bytes.indices {
            for change: UInt8 in [0x01, 0x80, 0xff] {
                var changed = bytes
                changed[place] ^= change
                // Nothing traps, and no length reserves memory that is not there.
                _ = try? HandOverMessage(changed)
            }
        }
    }

    @Test func whatStandsBehindAMessageIsRefused() {
        #expect(throws: HandOverError.trailing(1)) {
            try HandOverMessage(HandOverMessage.accept(1).bytes + [0])
        }
        #expect(throws: HandOverError.unknownMessage(200)) { try HandOverMessage([200]) }
        #expect(throws: HandOverError.foreign) { try HandOverMessage([1, 0, 0, 0, 1, 65, 0, 1]) }
    }

    @Test func laterVersionsMaySayMoreAtTheBeginning() throws {
        let later = HandOverMessage.hello(version: 7).bytes + [1, 2, 3]
        #expect(try HandOverMessage(later) == .hello(version: 7))
    }

    @Test func aStreamIsCutWhereItsMessagesEnd() throws {
        let stream = Self.messages.flatMap(\.frame)
        for step in [1, 7, 4096, stream.count] {
            var frames = HandOverFrames()
            var found: [HandOverMessage] = []
            for start in stride(from: 0, to: stream.count, by: step) {
                stream[start..<min(start + step, stream.count)].withUnsafeBytes { frames.append($0) }
                while let message = try frames.next() { found.append(message) }
            }
            #expect(found == Self.messages)
        }
    }

    @Test func whatIsNoHandOverIsRefusedBeforeItIsKept() {
        var frames = HandOverFrames()
        Array("GET / HTTP/1.1\r\n".utf8).withUnsafeBytes { frames.append($0) }
        #expect(throws: HandOverError.foreign) { try frames.next() }
    }

    @Test func neitherKeysNorSettingsAreDescribed() {
        let text = "\(SampleState.full) \(String(reflecting: SampleState.full))"
        #expect(!text.contains("secret") && !text.contains("work_mem"))
    }

    @Test func aMeaningIsTheSameBehindItsKey() {
        let settings = SettingValues([
            StartupParameter("DateStyle", "ISO"), StartupParameter("search_path", ""),
            StartupParameter("application_name", "x"), StartupParameter("TimeZone", "utc"),
        ])
        let meaning = TextMeaning(settings)
        let again = TextMeaning(key: meaning.key)
        #expect(again.key == meaning.key)
        #expect(again.settings.all.map(\.value) == meaning.settings.all.map(\.value))
        #expect(TextMeaning(key: TextMeaning(SettingValues()).key).key.isEmpty)
    }

    @Test func aKeyIsTheSameBehindItsData() throws {
        var random = SystemRandomNumberGenerator()
        for version in [ProtocolVersion.v3_0, ProtocolVersion(3, 2)] {
            let key = CancelKey(version: version, number: 5, using: &random)
            #expect(CancelKey(key.data)?.data == key.data)
        }
        for count in [0, 3, 5, 8, 31, 36] {
            #expect(CancelKey(BackendKeyData(processID: 1, key: [UInt8](repeating: 1, count: count))) == nil)
        }
    }
}

enum SampleState {
    static let full: ClientState = {
        var record = RelayRecord()
        record.input = [81, 0, 0]
        record.choice = .preferStandby
        record.session.startup = SettingValues([StartupParameter("TimeZone", "UTC")])
        record.session.wishes = SettingValues([StartupParameter("work_mem", "64kB")])
        record.session.told = SettingValues([StartupParameter("server_version", "17.2")])
        record.session.effects = [.callsUnknown]
        record.session.settingChanges = 2
        record.session.hasUnknownChanges = true
        record.session.unsettled = [.literals, .path]
        record.session.customNames = ["app.user", "z.y"]
        record.isConfirmed = true
        record.statements = [
            StatementRecord(
                name: Array("s1".utf8), content: Array("select $1".utf8) + [0, 0, 0], meaning: [1, 0, 2, 0],
                types: [0, 1, 0, 0, 0, 23], rows: .max),
            StatementRecord(name: [], content: [0, 0, 0], meaning: nil, types: nil),
        ]
        return ClientState(
            id: ConnectionID(.client), startedAt: 1 << 60, user: "ü", database: "db", hasProved: true,
            peer: SocketAddress(.ip("10.0.0.9", port: 40_000)), listener: "127.0.0.1:6432",
            key: BackendKeyData(processID: 99, key: Array("secret key".utf8)),
            credentials: nil, relay: record)
    }()

    static let bare = ClientState(
        id: ConnectionID(.client), startedAt: 0, user: "u", database: "d", hasProved: false,
        peer: SocketAddress(.unix(path: "")), listener: "",
        key: BackendKeyData(processID: 1, key: [0, 0, 0, 1]),
        credentials: nil, relay: RelayRecord())
}
