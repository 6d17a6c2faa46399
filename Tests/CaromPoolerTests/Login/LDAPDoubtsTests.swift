// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromReactor
import Synchronization
import Testing

@testable import CaromPooler

/// Servers of LDAP that have not answered lately.
@Suite struct LDAPDoubtsTests {
    private static func place(_ uri: String, _ host: String? = nil) -> LDAPPlace {
        LDAPPlace(uri: uri, address: host.map { SocketAddress(.ip($0, port: 389)) })
    }

    private final class Reports: Sendable {
        private let all = Mutex<[String]>([])
        var texts: [String] { all.withLock { $0 } }
        func add(_ text: String) { all.withLock { $0.append(text) } }
    }

    @Test func aPlaceIsInDoubtForAWhile() {
        let (doubts, now) = (LDAPDoubts { _ in }, Deadline.now)
        let (one, other) = (Self.place("ldap://a:389", "10.0.0.1"), Self.place("ldap://a:389", "10.0.0.2"))
        doubts.add(one, because: "", at: now)
        #expect(!doubts.mayAsk(one, at: now + .seconds(59)) && doubts.mayAsk(other, at: now))
        #expect(doubts.mayAsk(one, at: now + .seconds(60)))
    }

    @Test func oneLoginTriesAndTheOthersGoOnWaiting() {
        let (doubts, now, place) = (LDAPDoubts { _ in }, Deadline.now, Self.place("ldap://a:389"))
        doubts.add(place, because: "", at: now)
        let asked = (60...200).filter { doubts.mayAsk(place, at: now + .seconds($0)) }
        #expect(asked == [60, 120, 180])
    }

    @Test func anAnswerEndsTheDoubt() {
        let (doubts, now, place) = (LDAPDoubts { _ in }, Deadline.now, Self.place("ldap://a:389"))
        doubts.add(place, because: "", at: now)
        doubts.remove(place)
        #expect(doubts.mayAsk(place, at: now))
    }

    @Test func aDoubtIsToldWhenItBeginsAndWhenItEnds() {
        let (reports, now, place) = (Reports(), Deadline.now, Self.place("ldap://a:389"))
        let doubts = LDAPDoubts { reports.add($0) }
        doubts.remove(place)
        for (seconds, reason) in [(0, "one"), (30, "two"), (149, "three")] {
            doubts.add(place, because: reason, at: now + .seconds(seconds))
        }
        doubts.remove(place)
        doubts.add(place, because: "four", at: now + .seconds(150))
        let begin = "until it answers again others are asked first"
        #expect(reports.texts == ["one; \(begin)", "LDAP ldap://a:389: it answers again", "four; \(begin)"])
    }

    @Test func whatNobodyAsksAnyMoreIsForgotten() {
        let (reports, now) = (Reports(), Deadline.now)
        let doubts = LDAPDoubts { reports.add($0) }
        doubts.add(Self.place("ldap://a:389"), because: "a", at: now)
        doubts.add(Self.place("ldap://b:389"), because: "b", at: now + .seconds(4000))
        doubts.remove(Self.place("ldap://a:389"))
        #expect(reports.texts.count == 2)
    }

    @Test func aPlaceSaysWhichOfItsAddressesIsMeant() {
        #expect("\(Self.place("ldap://a:389"))" == "LDAP ldap://a:389")
        #expect("\(Self.place("ldap://a:389", "10.0.0.1"))" == "LDAP ldap://a:389 (10.0.0.1)")
        #expect("\(Self.place("ldap://10.0.0.1:389", "10.0.0.1"))" == "LDAP ldap://10.0.0.1:389")
    }
}
