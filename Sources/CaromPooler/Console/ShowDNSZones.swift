// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Zones of the DNS that are followed as such: none, names are.
struct ShowDNSZones: ConsoleCommand {
    static let name = "SHOW DNS_ZONES"

    static func parse(_ words: [ConsoleWord]) -> ShowDNSZones? {
        words.spell("show", "dns_zones") ? ShowDNSZones() : nil
    }

    let columns: [ConsoleColumn]? = ConsoleColumn.table(
        (.text, ["zonename"]),
        (.bigInteger, ["serial"]),
        (.integer, ["count"]))

    func run(_ context: ConsoleContext) -> ConsoleResult {
        .table([])
    }
}
