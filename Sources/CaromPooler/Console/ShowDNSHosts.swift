// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromDNS

/// `SHOW DNS_HOSTS`: the host names that are followed.
struct ShowDNSHosts: ConsoleCommand {
    static let name = "SHOW DNS_HOSTS"

    static func parse(_ words: [ConsoleWord]) -> ShowDNSHosts? {
        words.spell("show", "dns_hosts") ? ShowDNSHosts() : nil
    }

    let columns: [ConsoleColumn]? = ConsoleColumn.table(
        (.text, ["hostname"]), (.bigInteger, ["ttl"]), (.text, ["addrs"]))

    func run(_ context: ConsoleContext) -> ConsoleResult {
        .table(
            context.snapshot.dnsHosts.map { host in
                [host.name, "\(host.next.components.seconds)", host.addresses.joined(separator: ",")]
            })
    }
}
