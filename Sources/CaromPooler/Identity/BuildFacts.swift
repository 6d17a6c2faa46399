// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// How this program was built, as far as the language tells.
enum BuildFacts {
    /// `debug` or `release`.
    static var type: String {
        #if DEBUG
            "debug"
        #else
            "release"
        #endif
    }

    static var compiler: String { "Swift" }

    /// Major and minor number; nil of a compiler that is younger than this list.
    static var compilerVersion: String? {
        #if compiler(>=6.6)
            nil
        #elseif compiler(>=6.5)
            "6.5"
        #elseif compiler(>=6.4)
            "6.4"
        #elseif compiler(>=6.3)
            "6.3"
        #else
            "6.2"
        #endif
    }

    /// As `uname -m` has it on Linux; nil of one that is not listed.
    static var architecture: String? {
        #if arch(x86_64)
            "x86_64"
        #elseif arch(arm64)
            "aarch64"
        #else
            nil
        #endif
    }
}
