// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import Testing

@testable import CaromPooler

/// A client that goes on in another process, whose servers and statements are others.
@Suite struct RelayRecordTests {
    private let there = (registry: StatementRegistry(), server: PooledServer())
    private let here = (registry: StatementRegistry(), server: PooledServer())

    private func tell(
        _ client: PooledClient, _ server: PooledServer, _ build: (inout Messages) -> Void
    ) -> String { readable(client.send(Messages.of(build), on: server)) }

    @Test func itsStatementsAreParsedOnServersThatDoNotHaveThem() {
        let old = PooledClient(1, there.registry)
        let told = tell(old, there.server) {
            $0.parse("one", "SELECT 1")
            $0.parse("two", "SELECT 2")
            $0.sync()
        }
        #expect(told == "1 1 Z(I)")
        let new = old.moved(9, here.registry)
        for name in ["one", "two", "one"] {
            let told = tell(new, here.server) {
                $0.run(name)
                $0.sync()
            }
            #expect(told == "2 D(SELECT \(name == "one" ? 1 : 2)) C(SELECT 1) Z(I)")
        }
        let unknown = tell(new, here.server) {
            $0.run("three")
            $0.sync()
        }
        #expect(unknown.contains("\"three\" does not exist"))
    }

    @Test func theUnnamedStatementGoesAlong() {
        let old = PooledClient(1, there.registry)
        _ = tell(old, there.server) {
            $0.parse("", "SELECT 7")
            $0.sync()
        }
        let new = old.moved(2, here.registry)
        let told = tell(new, here.server) {
            $0.run("")
            $0.sync()
        }
        #expect(told == "2 D(SELECT 7) C(SELECT 1) Z(I)")
    }

    @Test func whatHasMovedTwiceIsStillTheSame() {
        let old = PooledClient(1, there.registry)
        _ = tell(old, there.server) {
            $0.parse("q", "SELECT 1")
            $0.describe("q")
            $0.sync()
        }
        let record = old.rig.machine.requests.records
        #expect(record.count == 1 && record[0].name == Array("q".utf8))
        let again = old.moved(2, here.registry).moved(3, there.registry)
        #expect(again.rig.machine.requests.records == record)
        #expect(again.rig.machine.book.record == old.rig.machine.book.record)
    }

    @Test func clientsThatPreparedTheSameShareItAgain() {
        let old = [1, 2].map { PooledClient($0, there.registry) }
        for client in old {
            _ = tell(client, there.server) {
                $0.parse("q", "SELECT 1")
                $0.sync()
            }
        }
        let new = old.map { $0.moved(5, here.registry) }
        #expect(here.registry.size.count == 1)
        _ = new
    }

    @Test func settingsAreSetOnServersThatDoNotHaveThem() {
        var record = SessionRecord()
        record.startup = SettingValues([StartupParameter("TimeZone", "UTC")])
        record.wishes = SettingValues([StartupParameter("TimeZone", "Asia/Tokyo")])
        record.customNames = ["app.user"]
        record.effects = [.callsUnknown]
        record.unsettled = [.literals]
        record.settingChanges = 1
        record.hasUnknownChanges = true
        #expect(SessionBook(record).record == record)
        var book = SessionBook(record)
        book.reset()
        #expect(book.wishes["TimeZone"] == "UTC", "RESET goes back to what the session began with")
    }
}
