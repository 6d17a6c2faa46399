// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// What changes when a file is written or replaced.
struct FileStamp: Equatable, Sendable {
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
