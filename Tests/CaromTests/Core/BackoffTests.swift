// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Carom

@Suite("Back-off and connecting")
struct BackoffTests {
    private static let oneSlot = Policy.with {
        $0.spares = 1
        $0.maxSlots = 1
    }

    @Test(
        "behaviour 9: waits double from 20 ms, each between half and all of its nominal value, none above 30 s"
    )
    func waitsDouble() {
        let rig = CoreRig(Self.oneSlot)
        rig.connect = { _ in .fail() }
        rig.resolve(CoreRig.backends(1))
        rig.run(60)
        #expect((12...14).contains(rig.attempts.count))
        var nominal = 20 * ms
        for (one, next) in zip(rig.attempts, rig.attempts.dropFirst()) {
            let wait = next.at - one.at
            #expect(wait >= nominal / 2 && wait <= nominal, "\(wait) of \(nominal)")
            nominal = min(nominal * 2, 30 * second)
        }
        #expect(rig.broken == nil)
    }

    @Test(
        "behaviour 10: a silent backend costs 10 s an attempt, its socket is closed, the waits follow the series"
    )
    func silentBackend() {
        let rig = CoreRig(Self.oneSlot)
        rig.connect = { _ in .hang }
        rig.resolve(CoreRig.backends(1))
        rig.run(100)
        var nominal = 20 * ms
        for (one, next) in zip(rig.attempts, rig.attempts.dropFirst()) {
            let wait = next.at - one.at - 10 * second
            #expect(wait >= nominal / 2 && wait <= nominal)
            nominal *= 2
        }
        #expect(rig.attempts.count >= 9)
        #expect(rig.mostSockets == 1)
        #expect(rig.broken == nil)
    }

    @Test("behaviour 11: connects that succeed and then fail their first check still wait up to the cap")
    func flappingBacksOff() {
        let rig = CoreRig(Self.oneSlot)
        rig.check = { _ in .fail() }
        rig.resolve(CoreRig.backends(1))
        rig.run(300)
        let waits = zip(rig.attempts, rig.attempts.dropFirst()).map { $1.at - $0.at }.dropFirst()
        #expect(waits.contains { $0 > 14 * second })
        #expect(rig.attempts.count < 30)
        #expect(rig.broken == nil)
    }

    @Test("behaviour 12: a changed address is tried at once, with a fresh series")
    func changedAddressIsTriedAtOnce() {
        let rig = CoreRig(Self.oneSlot)
        rig.connect = { $0.address == .unix(path: "/old") ? .fail() : .succeed() }
        rig.resolve([Backend(name: "b", address: .unix(path: "/old"))])
        rig.run(65)
        let before = rig.attempts.count
        rig.resolve([Backend(name: "b", address: .unix(path: "/new"))])
        rig.run(0)
        #expect(rig.attempts.count == before + 1)
        #expect(rig.attempts.last?.backend.address == .unix(path: "/new"))
        #expect(rig.usable() == [1])
        #expect(rig.broken == nil)
    }

    @Test("behaviour 13: a hundred refusing backends are retried spread out", arguments: 1...5)
    func retriesAreSpread(seed: Int) {
        let policy = Policy.with {
            $0.maxSlots = 100
            $0.spares = 100
            $0.perBackendMax = 1
        }
        let rig = CoreRig(policy, seed: UInt64(seed))
        rig.checking = false
        rig.connect = { _ in .fail() }
        rig.resolve(CoreRig.backends(100))
        rig.run(360)
        let times = rig.attempts.map(\.at).filter { $0 >= 60 * second }
        var most = 0
        for (index, start) in times.enumerated() {
            most = max(most, times[index...].prefix { $0 < start + second }.count)
        }
        #expect(most <= 20, "seed \(seed)")
        #expect(times.count > 900)
    }

    @Test("behaviour 14: a connect that completes a millisecond late is closed and never counted")
    func lateConnectIsClosed() {
        let rig = CoreRig(Self.oneSlot)
        rig.resolve([])
        rig.connect = { _ in .hang }
        rig.resolve(CoreRig.backends(1))
        rig.run(10)
        let late = rig.attempts[0].slot
        #expect(rig.core.find(late) == nil || rig.core.slots[Int(late.index)].state == .closing)
        rig.run(0.001)
        let connects = rig.core.counts.usable
        let accepted = rig.core.connected(late, learnt: [:], affinity: .noAffinity, now: rig.now)
        #expect(!accepted)
        #expect(rig.core.counts.usable == connects)
        #expect(rig.broken == nil)
    }
}
