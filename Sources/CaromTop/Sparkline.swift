// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A row of little bars.
enum Sparkline {
    private static let bars: [Character] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]

    /// The last `width` values, the newest at the right, each between nothing and `top` (by default the greatest).
    static func draw(_ values: some BidirectionalCollection<Double>, width: Int, top: Double? = nil)
        -> String
    {
        let shown = values.suffix(max(0, width))
        let highest = top ?? shown.max() ?? 0
        var text = String(repeating: " ", count: max(0, width - shown.count))
        for value in shown {
            let share = highest > 0 ? min(1, max(0, value / highest)) : 0
            text.append(bars[Int((share * Double(bars.count - 1)).rounded())])
        }
        return text
    }
}
