// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import Carom
import FoundationEssentials

extension SeededRandom {
    /// Random numbers whose seed is printed, so that a failing test can be repeated with `CAROM_SEED`.
    ///
    /// - Parameter purpose: what stands before the seed in the output.
    package static func printed(for purpose: String) -> SeededRandom {
        let given = ProcessInfo.processInfo.environment["CAROM_SEED"].flatMap { UInt64($0) }
        let seed = given ?? .random(in: 0 ... .max)
        print("seed of \(purpose): \(seed)")
        return SeededRandom(seed: seed)
    }
}
