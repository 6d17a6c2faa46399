// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromLinux
import CaromTestSupport
import Glibc
import Testing

@testable import CaromReactor

@Suite("Handlers called by the loop") struct HandlerTests {
    @Test(.timeLimit(.minutes(1))) func anEventCallsTheHandlerWithItsToken() async throws {
        let tokens = try await onReactor { reactor in
            let pair = try Pair(reactor)
            let handler = Recording()
            pair.listen(handler, token: 7)
            pair.send()
            await reactor.nextTurn()
            await reactor.nextTurn()
            pair.close()
            return handler.tokens
        }
        #expect(tokens == [7])
    }

    @Test(.timeLimit(.minutes(1))) func aHandlerMayCloseWhatAnotherEventOfTheSameBatchIsFor() async throws {
        for _ in 0..<20 {
            let (first, second, kept) = try await onReactor { reactor in
                let pairs = [try Pair(reactor), try Pair(reactor)]
                let handlers = [Recording(), Recording()]
                // Whichever comes first closes and releases the other, and puts a new socket into its place.
                for index in 0..<2 {
                    handlers[index].then = { [unowned reactor] in
                        let other = pairs[1 - index]
                        guard !other.isClosed else { return }
                        other.close()
                        pairs[index].heir = try? Pair(reactor)
                        pairs[index].heir?.listen(handlers[1 - index], token: 99)
                    }
                    pairs[index].listen(handlers[index], token: index)
                    pairs[index].send()
                }
                for _ in 0..<3 { await reactor.nextTurn() }
                let kept = pairs.map { $0.isClosed ? 0 : 1 }.reduce(0, +)
                for pair in pairs {
                    pair.heir?.close()
                    pair.close()
                }
                handlers.forEach { $0.then = nil }
                return (handlers[0].tokens, handlers[1].tokens, kept)
            }
            #expect([first, second].contains([]) && (first == [0] || second == [1]))
            #expect(kept == 1)
        }
    }

    @Test(.timeLimit(.minutes(1))) func aHandlerMayEndItselfWhileItIsCalled() async throws {
        let isGone = try await onReactor { reactor in
            let pair = try Pair(reactor)
            var handler: Recording? = Recording()
            weak let observed = handler
            handler?.then = { pair.close() }
            pair.listen(handler, token: 0)
            handler = nil
            pair.send()
            for _ in 0..<3 { await reactor.nextTurn() }
            return pair.isClosed && observed == nil
        }
        #expect(isGone)
    }

    @Test(.timeLimit(.minutes(1))) func askingToBeCalledAgainLetsTheSocketsHaveATurnFirst() async throws {
        let order = try await onReactor { reactor in
            let order = Recorder()
            let pair = try Pair(reactor)
            let socket = Recording()
            socket.then = { order.note(1) }
            pair.listen(socket, token: 0)
            let again = Recording()
            again.then = {
                if again.tokens.count == 1 {
                    pair.send()
                    reactor.again(again, token: 5)
                } else {
                    order.note(2)
                }
            }
            reactor.again(again, token: 4)
            for _ in 0..<3 { await reactor.nextTurn() }
            #expect(again.tokens == [4, 5])
            again.then = nil
            pair.close()
            return order.noted
        }
        #expect(order == [1, 2])
    }

    @Test(.timeLimit(.minutes(1))) func aWakerCallsItsHandlerOnceATurn() async throws {
        try await onReactor { reactor in
            let handler = Recording()
            let waker = Waker(handler: handler, token: 3, on: reactor)
            for _ in 0..<5 { waker.wake() }
            #expect(handler.tokens == [], "the handler was called within the wake")
            await reactor.nextTurn()
            #expect(handler.tokens == [3])
            let elsewhere = Task.detached { for _ in 0..<5 { reactor.wake(waker) } }
            await elsewhere.value
            for _ in 0..<2 { await reactor.nextTurn() }
            #expect(handler.tokens.count >= 2)
            let before = handler.tokens.count
            waker.callNothing()
            waker.wake()
            await waker.wait()
            #expect(handler.tokens.count == before)
        }
    }

    @Test(.timeLimit(.minutes(1))) func aWakeThatCameBeforeTheHandlerIsItsFirstCall() async throws {
        try await onReactor { reactor in
            let (waker, handler) = (Waker(), Recording())
            waker.wake()
            waker.call(handler, token: 1, on: reactor)
            await reactor.nextTurn()
            #expect(handler.tokens == [1])
            waker.callNothing()
        }
    }

    @Test(.timeLimit(.minutes(1))) func aTimerCallsAHandlerAndAWakerThatHasOne() async throws {
        try await onReactor { reactor in
            let (direct, throughWaker, done) = (Recording(), Recording(), Waker())
            let waker = Waker(handler: throughWaker, token: 8, on: reactor)
            let timers = [
                reactor.makeTimer(direct, token: 6), reactor.makeTimer(waker), reactor.makeTimer(done),
            ]
            let now = Deadline.now
            for (index, timer) in timers.enumerated() {
                reactor.arm(timer, at: now + .milliseconds(index + 1))
            }
            await done.wait()
            #expect(direct.tokens == [6] && throughWaker.tokens == [8])
            waker.callNothing()
        }
    }

    @Test(.timeLimit(.minutes(1))) func waitingSaysWhyItIsOver() async throws {
        try await onReactor { reactor in
            let waker = Waker()
            waker.wake()
            #expect(await reactor.wait(for: waker) == .signaled)
            #expect(await reactor.wait(for: waker, until: .now + .milliseconds(2)) == .timedOut)
            #expect(await reactor.wait(for: waker, until: Deadline(nanoseconds: 1)) == .timedOut)
            let waiting = Task(executorPreference: reactor) { await reactor.wait(for: waker) }
            for _ in 0..<3 { await reactor.nextTurn() }
            waiting.cancel()
            #expect(await waiting.value == .cancelled)
        }
    }

    @Test func anAffinityFindsItsReactorAndTheRestTakeTurns() throws {
        let reactors = try [4, 1, 2].map { try Reactor(index: $0) }
        let group = ReactorGroup(reactors)
        for reactor in reactors { #expect(group.next(affinity: reactor.index) === reactor) }
        let turns = [nil, 7, nil, -1].map { group.next(affinity: $0).index }
        #expect(turns == [4, 1, 2, 4])
    }
}

/// Notes the tokens it is called with, and does something more if told.
final class Recording: EventHandler {
    var tokens: [Int] = []
    var then: (() -> Void)?

    func handle(_ token: Int) {
        tokens.append(token)
        then?()
    }
}

/// Two connected sockets, one of them registered.
final class Pair {
    private let reactor: Reactor
    private let registration: Registration
    private let descriptors: [Int32]
    private(set) var isClosed = false
    var heir: Pair?

    init(_ reactor: Reactor) throws {
        let ends = socketPair()
        let pair = [ends.0, ends.1]
        descriptors = pair
        self.reactor = reactor
        registration = try reactor.register(pair[0], handler: nil)
    }

    func listen(_ handler: Recording?, token: Int) { registration.setHandler(handler, token: token) }

    /// Makes the registered end readable.
    func send() {
        var byte: UInt8 = 1
        #expect(write(descriptors[1], &byte, 1) == 1)
    }

    func close() {
        guard !isClosed else { return }
        isClosed = true
        reactor.deregister(registration)
        for descriptor in descriptors { Glibc.close(descriptor) }
    }
}
