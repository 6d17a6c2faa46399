// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromTLS

/// `SHOW LISTEN`: where clients are accepted, with Odyssey's columns.
struct ShowListen: ConsoleCommand {
    static let name = "SHOW LISTEN"

    static func parse(_ words: [ConsoleWord]) -> ShowListen? {
        words.spell("show", "listen") ? ShowListen() : nil
    }

    let columns: [ConsoleColumn]? = ConsoleColumn.table(
        (.text, ["host"]), (.integer, ["port"]), (.text, TLSSettings.columns))

    func run(_ context: ConsoleContext) -> ConsoleResult {
        let settings = context.snapshot.settings
        return .table(
            settings.listeners.map { listen in
                // A listener without a host is a Unix socket in this directory.
                [listen.host ?? settings.unixSocketDirectory, "\(listen.port)"] + listen.tls.row
            })
    }
}

extension TLSSettings {
    /// What Odyssey's tables say of TLS.
    static let columns = ["tls", "tls_cert_file", "tls_key_file", "tls_ca_file", "tls_protocols"]

    /// In their order.
    var row: [String?] {
        [mode.rawValue, certificateFile, keyFile, caFile, mode == .disable ? nil : protocols]
    }
}
