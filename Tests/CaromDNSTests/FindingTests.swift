// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromDNS

@Suite struct FindingTests {
    let question = DNSQuestion(name: name("db.example.com"), type: .a)

    @Test func theSmallestTimeToLiveOnTheWayCounts() {
        let message = MessageWriter(
            question,
            [
                alias("db.example.com", "a.example.com", ttl: 30),
                alias("a.example.com", "b.example.com", ttl: 10),
                address("b.example.com", "192.0.2.1", ttl: 20),
                address("b.example.com", "192.0.2.2", ttl: 25),
                address("elsewhere.example.com", "192.0.2.3", ttl: 1),
            ]
        ).message
        guard case .records(let records, let ttl) = message.finding(for: question) else {
            Issue.record("no records")
            return
        }
        #expect(records.count == 2)
        #expect(ttl == 10)
    }

    @Test func anAliasWithoutItsRecordsIsToBeFollowed() {
        let message = MessageWriter(question, [alias("db.example.com", "db.example.net")]).message
        #expect(message.finding(for: question) == .alias(name("db.example.net")))
    }

    @Test func anAliasWithAnAuthorityHasNoRecords() {
        var writer = MessageWriter(question, code: 0, minimum: 33)
        writer.answers = [alias("db.example.com", "db.example.net")]
        #expect(writer.message.finding(for: question) == .nothing(nameExists: true, ttl: 33))
    }

    @Test func aliasesInACircleAreAFailure() {
        let message = MessageWriter(
            question, [alias("db.example.com", "b.example.com"), alias("b.example.com", "db.example.com")]
        ).message
        guard case .failure = message.finding(for: question) else {
            Issue.record("the circle was accepted")
            return
        }
    }

    @Test(arguments: [
        (UInt16(3), UInt32(60), DNSFinding.nothing(nameExists: false, ttl: 60)),
        (0, 60, .nothing(nameExists: true, ttl: 60)), (2, 60, .failure("SERVFAIL")),
        (5, 60, .failure("REFUSED")),
    ])
    func responseCodesAreToldApart(code: UInt16, minimum: UInt32, expected: DNSFinding) {
        #expect(
            MessageWriter(question, code: code, minimum: minimum).message.finding(for: question) == expected)
    }

    @Test func theAuthoritysOwnTimeToLiveLimitsTheNegativeAnswer() {
        var writer = MessageWriter(question, code: 3)
        writer.authorities = [DNSRecord(name: .root, ttl: 5, content: .authority(minimum: 900))]
        #expect(writer.message.finding(for: question) == .nothing(nameExists: false, ttl: 5))
    }

    @Test func aReferralIsNotAnAnswer() {
        var writer = MessageWriter(question)
        writer.authorities = [DNSRecord(name: name("example.com"), ttl: 5, content: .delegation)]
        guard case .failure = writer.message.finding(for: question) else {
            Issue.record("a referral was taken for an answer")
            return
        }
    }

    @Test func answersToOtherQuestionsAndTruncatedOnesAreFailures() {
        let other = MessageWriter(
            DNSQuestion(name: name("evil.example.com"), type: .a), [address("db.example.com", "192.0.2.6")])
        var query = MessageWriter(question, [address("db.example.com", "192.0.2.6")])
        query.flags = 0x0100
        var truncated = MessageWriter(question, [address("db.example.com", "192.0.2.6")])
        truncated.flags |= 0x0200
        for writer in [other, query, truncated] {
            guard case .failure = writer.message.finding(for: question) else {
                Issue.record("accepted \(writer)")
                continue
            }
        }
    }
}
