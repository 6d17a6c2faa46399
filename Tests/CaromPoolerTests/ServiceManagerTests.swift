// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromReactor
import Glibc
import Testing

@testable import CaromPooler

@Suite struct ServiceManagerTests {
    private func manager(_ environment: [String: String]) -> ServiceManager? {
        ServiceManager(environment: { environment[$0] }, processID: 7)
    }

    @Test func withoutASocketNobodyIsTold() {
        #expect(manager([:]) == nil)
        for name in ["", "/", "relative", String(repeating: "/x", count: 60)] {
            #expect(manager(["NOTIFY_SOCKET": name]) == nil, "\(name)")
        }
    }

    @Test(
        arguments: [
            ([:], nil), (["WATCHDOG_USEC": "3000000"], .seconds(3)),
            (["WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "7"], .seconds(3)),
            (["WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "8"], nil), (["WATCHDOG_USEC": "0"], nil),
            (["WATCHDOG_USEC": "soon"], nil),
        ] as [([String: String], Duration?)])
    func theWatchdogIsForThisProcess(_ environment: [String: String], _ patience: Duration?) {
        let all = environment.merging(["NOTIFY_SOCKET": "/run/x"]) { own, _ in own }
        #expect(manager(all)?.patience == patience)
    }

    @Test func messagesAreThoseOfTheProtocol() {
        func text(_ state: ServiceManager.State) -> String {
            String(decoding: ServiceManager.message(state, now: 12), as: UTF8.self)
        }
        #expect(text(.ready).hasPrefix("READY=1\n") && text(.stopping).hasPrefix("STOPPING=1\n"))
        #expect(text(.reloading).hasPrefix("RELOADING=1\nMONOTONIC_USEC=12\n"))
        #expect(text(.alive) == "WATCHDOG=1")
        #expect(text(.tookOver(process: 5)).hasPrefix("MAINPID=5\nREADY=1\n"))
    }

    @Test func noSocketsAreTakenThatAreMeantForAnother() {
        for environment in [
            ["LISTEN_PID": "8", "LISTEN_FDS": "1"], ["LISTEN_FDS": "1"], ["LISTEN_PID": "7"],
        ] {
            let sockets = InheritedSockets(environment: { environment[$0] }, processID: 7)
            #expect(sockets.closeRest().isEmpty)
        }
    }

    @Test func aLoopThatDoesNotTurnGivesNoSign() async throws {
        let reactors = try (0..<2).map { try Reactor(name: "pulse-\($0)") }
        let pulse = WorkerPulse()
        #expect(pulse.take(of: reactors), "the first signs are asked for")
        #expect(!pulse.take(of: reactors), "neither loop runs")
        try reactors[0].start()
        await withTaskExecutorPreference(reactors[0]) { await reactors[0].nextTurn() }
        #expect(!pulse.take(of: reactors), "one loop runs")
        try reactors[1].start()
        await withTaskExecutorPreference(reactors[1]) { await reactors[1].nextTurn() }
        #expect(pulse.take(of: reactors))
        for reactor in reactors { reactor.stop() }
    }
}
