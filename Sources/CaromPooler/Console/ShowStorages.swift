// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration

/// `SHOW STORAGES`: the storages of the configuration, with Odyssey's columns and their names.
struct ShowStorages: ConsoleCommand {
    static let name = "SHOW STORAGES"

    static func parse(_ words: [ConsoleWord]) -> ShowStorages? {
        words.spell("show", "storages") ? ShowStorages() : nil
    }

    let columns: [ConsoleColumn]? = ConsoleColumn.table(
        (.text, ["type", "host"]), (.integer, ["port"]), (.text, TLSSettings.columns + ["name"]))

    func run(_ context: ConsoleContext) -> ConsoleResult {
        .table(
            context.snapshot.settings.storages.map { storage in
                let isLocal = storage.type == .local
                // Where SRV records or a resolver name the servers, they have the ports, too.
                let port = isLocal || !storage.usesPort ? nil : "\(storage.port)"
                return [storage.type.rawValue, isLocal ? nil : Self.place(storage), port]
                    + storage.tls.row.map { isLocal ? nil : $0 } + [storage.name]
            })
    }

    /// Where its servers are found.
    private static func place(_ storage: StorageSettings) -> String {
        switch storage.backends {
        case .hosts(let hosts): hosts.map(\.description).joined(separator: ",")
        case .service(let name): name
        case .file(let path): path
        case .resolver(let name): "resolver \(name)"
        }
    }
}
