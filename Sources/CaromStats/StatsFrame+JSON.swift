// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

public import FoundationEssentials

extension StatsFrame {
    /// The message as JSON, keys sorted.
    ///
    /// JSON has no word for numbers that are not finite: what is not a number is written as 0, infinity as the greatest
    /// number there is.
    public var json: Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return try encoder.encode(finite)
        } catch {
            preconditionFailure("a message of finite numbers and texts cannot be written as JSON: \(error)")
        }
    }

    private var finite: StatsFrame {
        var frame = self
        guard var pools = carom?.pools else { return frame }
        for pool in pools.indices {
            pools[pool].oldestWait = pools[pool].oldestWait.finite
            pools[pool].wait = pools[pool].wait?.finite
            pools[pool].hold = pools[pool].hold?.finite
            for backend in pools[pool].backends.indices {
                pools[pool].backends[backend].wait = pools[pool].backends[backend].wait?.finite
                pools[pool].backends[backend].hold = pools[pool].backends[backend].hold?.finite
            }
        }
        frame.carom = Details(pools: pools)
        return frame
    }
}

extension Quantiles {
    fileprivate var finite: Quantiles {
        Quantiles(count: count, p50: p50.finite, p90: p90.finite, p99: p99.finite, max: max.finite)
    }
}

extension Double {
    fileprivate var finite: Double {
        isNaN ? 0 : min(max(self, -.greatestFiniteMagnitude), .greatestFiniteMagnitude)
    }
}
