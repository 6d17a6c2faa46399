// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgres
import CaromTLS
import Glibc

/// TLS with the servers of a storage. A reload keeps it as long as neither what is configured nor a file has changed: then the
/// routes of the storage keep their servers.
struct StorageEncryption: Sendable {
    let server: ServerEncryption
    private let storage: StorageSettings
    private let files: [FileStamp?]

    /// - Parameter previous: that of the storage before the reload.
    /// - Throws: `TLSError` when a file cannot be used.
    init(_ storage: StorageSettings, previous: StorageEncryption?) throws(TLSError) {
        let options = storage.tls.options(for: .client)
        let paths = [options.certificateFile, options.keyFile, options.authorityFile, options.revocationFile]
        // Before they are read: what changes meanwhile is seen by the next reload.
        let files = paths.map { $0.flatMap { FileStamp(ofFileAt: $0) } }
        if let previous, previous.storage == storage, previous.files == files {
            self = previous
            return
        }
        self.storage = storage
        self.files = files
        server = ServerEncryption(
            try TLSContext(.client, options), domain: storage.backends.serviceDomain)
    }
}

/// What changes when a file is written or replaced.
private struct FileStamp: Equatable, Sendable {
    private let device: dev_t
    private let inode: ino_t
    private let size: off_t
    private let changed: (seconds: Int, nanoseconds: Int)

    /// Nil if there is no such file.
    init?(ofFileAt path: String) {
        var state = stat()
        guard stat(path, &state) == 0 else { return nil }
        device = state.st_dev
        inode = state.st_ino
        size = state.st_size
        changed = (state.st_ctim.tv_sec, state.st_ctim.tv_nsec)
    }

    static func == (one: FileStamp, other: FileStamp) -> Bool {
        one.device == other.device && one.inode == other.inode && one.size == other.size
            && one.changed == other.changed
    }
}
