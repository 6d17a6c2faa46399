// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromLinux
import Glibc

/// The number of descriptors the process may have open.
public enum DescriptorLimit {
    /// The soft limit of now.
    ///
    /// - Throws: ``SystemError`` when the kernel does not say.
    public static func current() throws(SystemError) -> Int {
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) < 0 {
            throw SystemError.last("getrlimit")
        }
        return Int(clamping: limit.rlim_cur)
    }

    /// Raises the soft limit to the hard one, as a server should, and returns what holds now.
    ///
    /// - Throws: ``SystemError`` when the kernel refuses.
    @discardableResult
    public static func raise() throws(SystemError) -> Int {
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) < 0 {
            throw SystemError.last("getrlimit")
        }
        if limit.rlim_cur < limit.rlim_max {
            limit.rlim_cur = limit.rlim_max
            if setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) < 0 {
                throw SystemError.last("setrlimit")
            }
        }
        return Int(clamping: limit.rlim_cur)
    }
}
