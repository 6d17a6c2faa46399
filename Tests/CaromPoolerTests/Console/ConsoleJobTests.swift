// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol
import CaromReactor
import Testing

@testable import CaromPooler

private typealias M = ClientMessage

/// Commands whose result comes later.
@Suite struct ConsoleJobTests {
    private static let name = ConnectionID(.client)

    private static func lines(_ conversation: ConsoleConversation) -> [String] { conversation.lines }

    @Test(arguments: [
        ("reload", ConsoleJob.reload), ("SHOW CLIENTS", .list(.clients)),
        ("show servers", .list(.servers)), ("SHOW SOCKETS", .list(.sockets)),
        ("SHOW ACTIVE_SOCKETS", .list(.activeSockets)), ("SHOW FDS", .list(.descriptors)),
        ("SHOW WAITERS", .list(.waiters)), ("SHOW PREPARED_STATEMENTS", .statements),
        ("KILL_CLIENT 1025", .kill(client: 1_025)),
        ("shutdown", .shutdown(.atOnce)), ("SHUTDOWN WAIT_FOR_SERVERS", .shutdown(.afterTransactions)),
        ("SHUTDOWN WAIT_FOR_CLIENTS", .shutdown(.afterClients)), ("PAUSE", .database(.pause, nil)),
        ("pause shop", .database(.pause, "shop")), ("RESUME \"Shop\"", .database(.resume, "Shop")),
        ("DISABLE shop", .database(.disable, "shop")), ("ENABLE shop", .database(.enable, "shop")),
        ("RECONNECT", .database(.reconnect, nil)), ("KILL shop", .database(.kill, "shop")),
        ("WAIT_CLOSE", .database(.waitClose, nil)), ("SUSPEND", .suspend),
        ("SET client_max = 7", .set(.directive(SettingChange("client_max", to: .number("7"))))),
        ("set MAX_CLIENT_CONN to 8", .set(.directive(SettingChange("client_max", to: .number("8"))))),
        ("SET log_query = on", .set(.directive(SettingChange("log_query", to: .flag(true))))),
        ("SET stats_users = 'a, b'", .set(.directive(SettingChange("stats_users", to: .string("a, b"))))),
    ])
    func whatIsAskedForIsTheJob(_ text: String, _ job: ConsoleJob) {
        var conversation = ConsoleConversation()
        conversation.send(M.query(text))
        #expect(conversation.job == job)
        #expect(!conversation.lines.contains("Z idle"))
    }

    @Test(arguments: [
        "KILL_CLIENT", "KILL_CLIENT x", "KILL_CLIENT 1 2", "SHUTDOWN NOW", "SHUTDOWN WAIT_FOR_SERVERS 1",
        "PAUSE a b", "DRAIN", "DRAIN a b", "UNDRAIN", "SET", "SET a", "SET a b c",
    ])
    func wrongArgumentsAreRefused(_ text: String) {
        var conversation = ConsoleConversation()
        conversation.send(M.query(text))
        #expect(
            conversation.job == nil && conversation.lines.first?.hasPrefix("E ERROR 42601: expected") == true)
    }

    @Test(arguments: ["DISABLE", "ENABLE"])
    func someCommandsNeedADatabase(_ text: String) {
        var conversation = ConsoleConversation()
        conversation.send(M.query(text))
        #expect(conversation.lines == ["E ERROR 42601: a database is required", "Z idle"])
    }

    @Test func whatIsSentMeanwhileWaits() {
        var conversation = ConsoleConversation()
        conversation.send(M.query("RELOAD") + M.query("SHOW VERSION"))
        #expect(conversation.lines == [])
        conversation.finish(.done(tag: "RELOAD"))
        #expect(
            conversation.lines == [
                "C RELOAD", "Z idle", "T version:25:text", "D Carom 9.8.7", "C SHOW", "Z idle",
            ])
    }

    @Test func commandsBehindItInTheSameQueryGoOn() {
        var conversation = ConsoleConversation()
        conversation.send(M.query("RELOAD; SHOW VERSION; RELOAD; SHOW VERSION"))
        conversation.finish(.done(tag: "RELOAD"))
        #expect(conversation.lines == ["C RELOAD", "T version:25:text", "D Carom 9.8.7", "C SHOW"])
        conversation.finish(.failed(ConsoleError(.configurationFileError, "a mistake")))
        #expect(conversation.lines.suffix(2) == ["E ERROR F0000: a mistake", "Z idle"])
        #expect(conversation.job == nil)
    }

    @Test func inTheExtendedProtocolAFailureSkipsToSync() {
        var conversation = ConsoleConversation()
        conversation.send(M.parse("RELOAD") + M.bind() + M.execute() + M.execute() + M.sync + M.query("HELP"))
        #expect(conversation.lines == ["1", "2"])
        conversation.finish(.failed(ConsoleError(.configurationFileError, "a mistake")))
        #expect(
            conversation.lines == [
                "1", "2", "E ERROR F0000: a mistake", "Z idle", "N NOTICE 00000: console usage", "C SHOW",
                "Z idle",
            ])
    }

    @Test func aTableThatCameLateIsHandedOutInParts() {
        var conversation = ConsoleConversation()
        conversation.send(M.parse("SHOW CLIENTS") + M.bind() + M.execute(limit: 1) + M.execute() + M.sync)
        let row = ConsoleClient(
            owner: 1 << 48 | 5, name: Self.name, user: "u", database: "d", state: .waiting,
            peer: SocketAddress(.ip("10.0.0.1", port: 99)), facts: nil, connectedAt: 1_700_000_000
        ).socket(wait: .microseconds(2_000_003)).row
        conversation.finish(.table([row, row]))
        let line =
            "D C|u|d|none|waiting|10.0.0.1|99|null|null|2023-11-14 22:13:20 UTC|null|2|3|0|\(Self.name)|null|null|null|null|null|5121"
        #expect(conversation.lines == ["1", "2", line, "s", line, "C SHOW", "Z idle"])
    }

    @Test func aClientsNumberFitsAndTellsItsWorker() {
        let owner: UInt64 = 1_023 << 48 | .max >> 16
        #expect(ConsoleClient.id(ofOwner: owner) <= Int(Int32.max))
        #expect(ConsoleClient.worker(ofID: ConsoleClient.id(ofOwner: owner)) == 1_023)
        #expect(ConsoleClient.id(ofOwner: 3 << 48 | 1) != ConsoleClient.id(ofOwner: 3 << 48 | 2))
    }
}
