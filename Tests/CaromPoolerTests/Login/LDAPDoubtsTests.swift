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

    @Test func aPlaceIsInDoubtForAWhile() {
        let (doubts, now) = (LDAPDoubts { _ in }, Deadline.now)
        let (one, other) = (Self.place("ldap://a:389", "10.0.0.1"), Self.place("ldap://a:389", "10.0.0.2"))
        doubts.add(one, because: "", at: now)
        doubts.add(other, because: "", at: now + .seconds(10))
        #expect(doubts.current(at: now + .seconds(59)) == [one, other])
        #expect(doubts.current(at: now + .seconds(60)) == [other])
        #expect(doubts.current(at: now + .seconds(70)) == [])
    }

    @Test func anAnswerEndsTheDoubt() {
        let (doubts, now, place) = (LDAPDoubts { _ in }, Deadline.now, Self.place("ldap://a:389"))
        doubts.add(place, because: "", at: now)
        doubts.remove(place)
        #expect(doubts.current(at: now) == [])
    }

    @Test func aDoubtIsToldWhenItBegins() {
        final class Reports: Sendable { let all = Mutex<[String]>([]) }
        let (reports, now, place) = (Reports(), Deadline.now, Self.place("ldap://a:389"))
        let doubts = LDAPDoubts { text in reports.all.withLock { $0.append(text) } }
        for (seconds, reason) in [(0, "one"), (30, "two"), (89, "three"), (149, "four")] {
            doubts.add(place, because: reason, at: now + .seconds(seconds))
        }
        doubts.remove(place)
        doubts.add(place, because: "five", at: now + .seconds(150))
        let expected = ["one", "four", "five"].map { "\($0); for a minute it is asked last" }
        #expect(reports.all.withLock { $0 } == expected)
    }

    @Test func aPlaceSaysWhichOfItsAddressesIsMeant() {
        #expect("\(Self.place("ldap://a:389"))" == "LDAP ldap://a:389")
        #expect("\(Self.place("ldap://a:389", "10.0.0.1"))" == "LDAP ldap://a:389 (10.0.0.1)")
        #expect("\(Self.place("ldap://10.0.0.1:389", "10.0.0.1"))" == "LDAP ldap://10.0.0.1:389")
    }
}
