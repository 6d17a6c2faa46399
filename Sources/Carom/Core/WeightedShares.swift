// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Deals connections to backends in proportion to their weights.
enum WeightedShares {
    struct Share {
        var weight: Double
        var limit: Int
        /// What it has; dealing adds to it.
        var count: Int
    }

    /// Deals up to `total` so that the counts come as near to the weights as whole numbers and limits allow.
    /// Among equals the earlier hand wins. O(hands · log hands) for any total.
    static func deal(_ total: Int, to hands: inout [Share]) {
        var left = total
        while left > 0 {
            let open = hands.indices.filter { hands[$0].count < hands[$0].limit }
            if open.isEmpty { return }
            let weights = open.reduce(0) { $0 + hands[$1].weight }
            let dealt = open.reduce(0) { $0 + hands[$1].count }
            let goal = Double(dealt) + Double(left)
            var given = 0
            for index in open where left - given > 0 {
                let fair = Int((goal * hands[index].weight / weights).rounded(.down))
                let more = min(fair, hands[index].limit) - hands[index].count
                let add = min(max(0, more), left - given)
                hands[index].count += add
                given += add
            }
            left -= given
            if given == 0 { left -= dealRest(left, to: &hands, open) }
        }
    }

    /// One more for each, the one farthest below its share first.
    private static func dealRest(_ left: Int, to hands: inout [Share], _ open: [Int]) -> Int {
        let ranked = open.sorted { one, other in
            let first = Double(hands[one].count + 1) / hands[one].weight
            let second = Double(hands[other].count + 1) / hands[other].weight
            return first == second ? one < other : first < second
        }
        for index in ranked.prefix(left) { hands[index].count += 1 }
        return min(left, ranked.count)
    }
}
