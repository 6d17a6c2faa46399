// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import Testing

@testable import CaromPooler

/// What counts as an error of the last five minutes, and as which.
@Suite struct ErrorWindowTests {
    private static let shop = ErrorWindow.Place(database: "shop", user: "app")

    @Test func whatIsFiveMinutesOldIsForgotten() {
        var window = ErrorWindow()
        window.add(.clientRead, at: Self.shop, second: 100)
        window.add(.clientRead, at: Self.shop, second: 100)
        window.add(.clientRead, at: nil, second: 101)
        window.add(.idle, at: Self.shop, second: 399)
        let shop = ErrorWindow.Entry(error: .clientRead, place: Self.shop)
        let nowhere = ErrorWindow.Entry(error: .clientRead, place: nil)
        let idle = ErrorWindow.Entry(error: .idle, place: Self.shop)
        #expect(window.counts(at: 399) == [shop: 2, nowhere: 1, idle: 1])
        #expect(window.counts(at: 400) == [nowhere: 1, idle: 1])
        #expect(window.counts(at: 401) == [idle: 1])
        #expect(window.counts(at: 699) == [:])
    }

    @Test func anErrorThatComesOftenTakesNoMoreRoom() {
        var window = ErrorWindow()
        for second in 0..<1_000 {
            for _ in 0..<3 { window.add(.serverRead, at: Self.shop, second: second) }
        }
        #expect(window.counts(at: 999) == [.init(error: .serverRead, place: Self.shop): 900])
    }

    @Test func anEndIsTheErrorThatItIs() {
        func error(_ end: SessionEnd, isLoggingIn: Bool = false, isAdmitted: Bool = true) -> SessionError? {
            SessionError(end, isLoggingIn: isLoggingIn, isAdmitted: isAdmitted)
        }
        #expect(error(.terminated) == nil && error(.handedOver) == nil && error(.cutOff("")) == nil)
        #expect(error(.clientLeft) == .clientRead && error(.clientLeft, isLoggingIn: true) == nil)
        #expect(error(.loginTimedOut, isLoggingIn: true) == .clientTimeout)
        #expect(error(.shutdown) == .shutdown)
        #expect(error(.fatal(.protocolViolation, "")) == .clientProtocol)
        let full = SessionEnd.fatal(.tooManyConnections, "")
        #expect(error(full, isLoggingIn: true, isAdmitted: false) == .clientLimit)
        #expect(error(full, isLoggingIn: true) == .routeLimit)
        // Of a client that gets no server: counted where that becomes known.
        #expect(error(full) == nil)
        #expect(error(.fatal(.invalidCatalogName, ""), isLoggingIn: true) == .noRoute)
        #expect(error(.fatal(.invalidPassword, ""), isLoggingIn: true) == nil)
    }
}
