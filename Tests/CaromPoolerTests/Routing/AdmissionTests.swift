// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromPooler

/// A limit on clients is exact, whatever enters and leaves at the same time.
@Suite struct AdmissionTests {
    @Test func theLimitIsTheLastThatIsAdmitted() {
        let admission = Admission()
        #expect((0..<5).map { _ in admission.enter(limit: 3) } == [true, true, true, false, false])
        #expect(admission.count == 3)
        admission.leave()
        #expect(admission.enter(limit: 3) && !admission.enter(limit: 3))
        #expect(admission.enter(limit: nil) && admission.count == 4)
        #expect(!admission.enter(limit: 0))
    }

    @Test func aRefusedClientNeverTakesAPlaceFromAnother() async {
        // As many clients as places, and strangers that are refused all the time: none of the clients may be.
        let admission = Admission()
        let refused = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    (0..<5_000).count { _ in
                        let isAdmitted = admission.enter(limit: 4)
                        if isAdmitted { admission.leave() }
                        return !isAdmitted
                    }
                }
                group.addTask {
                    for _ in 0..<5_000 where admission.enter(limit: 0) { admission.leave() }
                    return 0
                }
            }
            return await group.reduce(0, +)
        }
        #expect(refused == 0 && admission.count == 0)
    }
}
