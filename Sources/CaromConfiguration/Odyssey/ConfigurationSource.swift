// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Where the text of included files comes from; the parser itself touches no file.
struct ConfigurationSource: Sendable {
    /// The bytes of a file, or why there are none.
    var read: @Sendable (String) -> Result<[UInt8], ConfigurationReadFailure>

    /// No files: a configuration given as text cannot include any.
    static let none = ConfigurationSource { _ in
        .failure(ConfigurationReadFailure(reason: "a configuration without a file cannot include one"))
    }

    /// The file system.
    static let files = ConfigurationSource(read: readFile)

    /// More than this is not a configuration; without a bound, `/dev/zero` would be read for ever.
    static let largestFile = 8 << 20
}

/// Why a file could not be read, in the system's words.
struct ConfigurationReadFailure: Error, Equatable {
    var reason: String
}

private func readFile(_ path: String) -> Result<[UInt8], ConfigurationReadFailure> {
    func failure() -> Result<[UInt8], ConfigurationReadFailure> {
        .failure(ConfigurationReadFailure(reason: String(cString: strerror(errno))))
    }
    // A named pipe without a writer would hold us in open().
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { return failure() }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    while true {
        let count = chunk.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
        if count < 0 {
            if errno == EINTR { continue }
            return failure()
        }
        guard count > 0 else { return .success(bytes) }
        bytes += chunk[..<count]
        guard bytes.count <= ConfigurationSource.largestFile else {
            let reason = "larger than \(ConfigurationSource.largestFile) bytes"
            return .failure(ConfigurationReadFailure(reason: reason))
        }
    }
}

/// The directory of a file with its last `/`; empty when the file is named without one.
func directory(of path: String) -> String {
    path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
}

/// The path without `.`, doubled `/` and resolvable `..`; symbolic links are not looked at.
func shortestPath(_ path: String) -> String {
    var parts: [Substring] = []
    for part in path.split(separator: "/") where part != "." {
        if part == "..", let last = parts.last, last != ".." {
            parts.removeLast()
        } else {
            parts.append(part)
        }
    }
    return (path.hasPrefix("/") ? "/" : "") + parts.joined(separator: "/")
}
