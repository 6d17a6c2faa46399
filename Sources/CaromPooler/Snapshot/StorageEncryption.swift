// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgres
import CaromTLS

/// TLS with the servers of a storage. A reload keeps it as long as neither what is configured nor a file has changed: then the
/// routes of the storage keep their servers.
struct StorageEncryption: Sendable {
    let server: ServerEncryption
    private let storage: StorageSettings
    private let domain: String?
    private let files: [FileStamp?]

    /// - Parameters:
    ///   - domain: in which SRV records name the servers.
    ///   - previous: that of the storage before the reload.
    /// - Throws: `TLSError` when a file cannot be used.
    init(_ storage: StorageSettings, domain: String?, previous: StorageEncryption?) throws(TLSError) {
        let options = storage.tls.options(for: .client)
        let paths = [options.certificateFile, options.keyFile, options.authorityFile, options.revocationFile]
        // Before they are read: what changes meanwhile is seen by the next reload.
        let files = paths.map { $0.flatMap { FileStamp(ofFileAt: $0) } }
        if let previous, previous.storage == storage, previous.domain == domain,
            previous.files == files
        {
            self = previous
            return
        }
        self.storage = storage
        self.domain = domain
        self.files = files
        server = ServerEncryption(
            try TLSContext(.client, options), isDirect: storage.tlsNegotiation == .direct,
            domain: domain)
    }
}
