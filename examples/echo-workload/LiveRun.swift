// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromStats
import CaromTop

/// The workload on a screen, steered by keys.
final class LiveRun: Sendable {
    private let workload: Workload

    private enum Event: Sendable {
        case terminal(TerminalEvent)
        case tick
    }

    struct NoTerminal: Error, CustomStringConvertible {
        let description = "standard input and output are no terminal; --headless needs none"
    }

    init(workload: Workload) {
        self.workload = workload
    }

    func run(claimers: Int, hold: Duration) async throws {
        guard let screen = Screen(), let input = TerminalInput() else { throw NoTerminal() }
        defer {
            input.close()
            screen.restore()
        }
        try await workload.run { [workload] in
            let journal = Journal(keepsTimeline: false)
            await withDiscardingTaskGroup { group in
                let (events, continuation) = AsyncStream.makeStream(
                    of: Event.self, bufferingPolicy: .bufferingNewest(64))
                group.addTask {
                    for await event in input.events { continuation.yield(.terminal(event)) }
                }
                group.addTask {
                    while (try? await Task.sleep(for: .seconds(1))) != nil { continuation.yield(.tick) }
                }
                var view = LiveView()
                for _ in 0..<claimers { view.add(Claimer(hold: hold)) }
                for claimer in view.claimers { group.addTask { await claimer.run(workload.pool, journal) } }
                view.update(StatsFrame([workload.observed]))
                screen.draw(view.lines(screen.size, journal.contents))
                for await event in events {
                    switch event {
                    case .tick: break
                    case .terminal(.ended), .terminal(.key(.interrupt)), .terminal(.key(.character("q"))):
                        group.cancelAll()
                        return
                    case .terminal(.key(.tab)):
                        let claimer = Claimer(hold: hold)
                        view.add(claimer)
                        group.addTask { await claimer.run(workload.pool, journal) }
                    case .terminal(.key(let key)): view.obey(key)
                    case .terminal: break
                    }
                    view.update(StatsFrame([workload.observed]))
                    screen.draw(view.lines(screen.size, journal.contents))
                }
            }
        }
    }
}
