// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromReactor
import CaromStats
import CaromTop

/// The live table: messages, keys and the window's size, until someone quits.
struct TopLive {
    let url: StatsURL
    let reactor: Reactor
    var order: StatsTable.Order
    private var reversed = false
    private var table = StatsTable()
    /// Why there are no messages at the moment.
    private var trouble: String?

    private enum Event: Sendable {
        case terminal(TerminalEvent)
        case message(StatsFrame)
        case lost(StatsClientError)
    }

    init(url: StatsURL, reactor: Reactor, order: StatsTable.Order) {
        self.url = url
        self.reactor = reactor
        self.order = order
    }

    /// Shows the table until q or Ctrl-C is pressed or the process is told to end.
    ///
    /// - Throws: ``StatsClientError`` if there was never a message. A stream that is lost later is looked for again.
    mutating func run() async throws(StatsClientError) {
        guard let screen = Screen(), let input = TerminalInput() else {
            throw StatsClientError.noTerminal
        }
        defer {
            input.close()
            screen.restore()
        }
        let (events, continuation) = AsyncStream.makeStream(
            of: Event.self, bufferingPolicy: .bufferingNewest(64))
        // Not children of this task: looking up a name blocks, and quitting must not wait for it.
        let reading = Task { [url, reactor] in await Self.read(url, reactor, continuation) }
        let typing = Task {
            for await event in input.events { continuation.yield(.terminal(event)) }
        }
        defer {
            reading.cancel()
            typing.cancel()
        }
        screen.draw(["carom top  \(url)", "", "connecting …"])
        for await event in events {
            switch event {
            case .terminal(.ended): return
            case .terminal(.resized): break
            case .terminal(.key(let key)): if obey(key) { return }
            case .message(let frame):
                trouble = nil
                table.update(frame, at: SystemPoolClock().now)
            case .lost(let error):
                if table.isEmpty { throw error }
                trouble = error.description
            }
            draw(on: screen)
        }
    }

    /// Messages for ever: a stream that ends is opened again a second later.
    private static func read(
        _ url: StatsURL, _ reactor: Reactor, _ events: AsyncStream<Event>.Continuation
    ) async {
        while !Task.isCancelled {
            do throws(StatsClientError) {
                var client = try await StatsClient.open(url, on: reactor)
                while true {
                    guard let message = try await client.next(timeout: .seconds(300)) else { break }
                    events.yield(.message(try StatsFrame(json: message)))
                }
                events.yield(.lost(.ended))
            } catch {
                events.yield(.lost(error))
            }
            try? await Task.sleep(for: .seconds(1))
        }
    }

    /// True: quit.
    private mutating func obey(_ key: Key) -> Bool {
        switch key {
        case .interrupt, .escape, .character("q"): return true
        case .character("r"): reversed.toggle()
        case .character(let letter): if let order = Self.orders[letter] { self.order = order }
        case .tab, .backTab, .up, .down, .left, .right, .enter: break
        }
        return false
    }

    private static let orders: [Character: StatsTable.Order] = [
        "n": .name, "s": .state, "o": .connecting, "i": .idle, "l": .claimed, "k": .checking, "c": .claims,
        "w": .wait, "h": .hold,
    ]

    private func draw(on screen: Screen) {
        let size = screen.size
        var title = "carom top  \(url.host):\(url.port)"
        if let rate = table.claimRate { title += "  \(StatsTable.digits(rate)) claims/s" }
        var lines = [Screen.reversed(title.padded(to: size.columns))]
        if let trouble {
            lines.append(Screen.bold("no messages: \(Screen.printable(trouble)); trying again"))
        }
        lines += table.lines(width: size.columns, order: order, reversed: reversed)
        let help =
            "q quit  r reverse  sort: n name s state o connecting i idle l claimed k checking c claims w wait h hold"
        lines = Array(lines.prefix(max(0, size.rows - 1)))
        lines += Array(repeating: "", count: max(0, size.rows - 1 - lines.count))
        screen.draw(lines + [Screen.dim(help)])
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String {
        count < width ? self + String(repeating: " ", count: width - count) : self
    }
}
