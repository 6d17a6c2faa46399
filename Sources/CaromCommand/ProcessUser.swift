// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromReactor
import Glibc

/// The user that the process runs as.
enum ProcessUser {
    /// Becomes a user, with its groups and for good. Nothing happens if it is that already.
    ///
    /// - Throws: `SystemError` when there is no such user, or only root could do it.
    static func become(_ name: String) throws(SystemError) {
        let operation = "become user \(name)"
        guard let entry = getpwnam(name) else { throw SystemError(code: ENOENT, operation: operation) }
        let (user, group) = (entry.pointee.pw_uid, entry.pointee.pw_gid)
        if getuid() == user, geteuid() == user { return }
        // The groups go first: afterwards it is too late.
        guard initgroups(name, group) == 0, setgid(group) == 0, setuid(user) == 0 else {
            throw SystemError(code: errno, operation: operation)
        }
    }
}
