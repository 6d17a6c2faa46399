// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Carom

/// Backends that answer and do not let us in.
@Suite("Refused logins")
struct RefusalTests {
    private static func rig(_ change: (inout Policy) -> Void = { _ in }) -> CoreRig {
        let rig = CoreRig(
            Policy.with {
                $0.spares = 0
                $0.shrink = .never
                $0.maxBackoff = .seconds(3)
                change(&$0)
            })
        rig.connect = { _ in .fail(after: ms, reason: "no such role", kind: .authentication) }
        return rig
    }

    @Test("behaviour 55: a refused login is not repeated while nobody needs a connection")
    func oneClaimOneLogin() {
        let rig = Self.rig()
        rig.resolve(CoreRig.backends(2))
        let claim = rig.claim()
        rig.run(600)
        #expect(rig.claims[claim].code == .failed)
        #expect(rig.attempts.count == 2, "one each")
        #expect(rig.broken == nil)
    }

    @Test("behaviour 56: claims ask a backend that refused again, once a second at most")
    func claimsAskAgain() {
        let rig = Self.rig()
        rig.resolve(CoreRig.backends(1))
        for _ in 0..<200 {
            let claim = rig.claim()
            rig.run(0.05)
            #expect(rig.claims[claim].code == .failed)
        }
        #expect((10...21).contains(rig.attempts.count), "\(rig.attempts.count)")
        rig.connect = { _ in .succeed() }
        let at = rig.now
        var claim = rig.claim()
        while rig.claims[claim].slot == nil, rig.now < at + 2 * second {
            rig.run(0.05)
            if rig.claims[claim].code != nil { claim = rig.claim() }
        }
        #expect(rig.now <= at + second + 50 * ms)
        #expect(rig.broken == nil)
    }

    @Test func theMinimumIsFilledWithGrowingPauses() {
        let rig = Self.rig { $0.minSlots = 2 }
        rig.resolve(CoreRig.backends(1))
        rig.run(60)
        #expect((20...35).contains(rig.attempts.count), "\(rig.attempts.count)")
        rig.connect = { _ in .succeed() }
        rig.run(4)
        #expect(rig.usable() == [2])
        #expect(rig.broken == nil)
    }

    @Test func aBackendThatRefusesBesideOneThatServesIsLeftAlone() {
        let rig = Self.rig()
        rig.connect = { $0.name == "b01" ? .succeed() : .fail(reason: "no", kind: .authentication) }
        rig.resolve(CoreRig.backends(2))
        let claims = (0..<4).map { _ in rig.claim() }
        rig.run(60)
        #expect(claims.allSatisfy { rig.claims[$0].slot.map { rig.backendOf($0) } == "b01" })
        #expect(rig.attempts.filter { $0.backend.name == "b02" }.count <= 2)
        #expect(rig.broken == nil)
    }
}
