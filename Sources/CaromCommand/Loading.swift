// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CaromConfiguration
import CaromPooler
import Glibc

extension ConfigurationArgument {
    /// Reads the file; prints every complaint about it and exits with 1 when it cannot be used.
    static func load(_ file: String) throws -> Settings { try loadFile(file).settings }

    /// The same, with what it was read from.
    static func loadFile(_ file: String) throws -> ConfigurationFile {
        do throws(ConfigurationErrors) {
            let loaded = try ConfigurationFile.load(path: file)
            for warning in loaded.warnings { complain("\(warning)") }
            return loaded
        } catch {
            for diagnostic in error.diagnostics { complain("\(diagnostic)") }
            throw ExitCode(1)
        }
    }
}

/// Writes a line to standard error.
func complain(_ line: String) {
    let text = Array("\(line)\n".utf8)
    text.withUnsafeBytes { _ = write(2, $0.baseAddress, $0.count) }
}
