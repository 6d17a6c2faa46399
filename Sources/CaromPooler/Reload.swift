// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromReactor

/// What became of a request to read the configuration again.
enum ReloadOutcome: Equatable, Sendable {
    /// It holds now. What changed, a line each.
    case done([String])
    /// Nothing has changed, because of this.
    case failed(String)
}

/// The next configuration, read and checked: all that can be done about it beside the workers.
struct Reload: Sendable {
    let snapshot: Snapshot
    let changes: SettingsChanges
    let listeners: [Listeners.Wish]

    /// Reads a file; may take a while.
    ///
    /// - Throws: every mistake in it.
    init(of file: String, previous: Snapshot, log: PoolerLog) throws(ReloadError) {
        let loaded: ConfigurationFile
        do throws(ConfigurationErrors) {
            loaded = try ConfigurationFile.load(path: file)
        } catch {
            throw ReloadError(mistakes: error.diagnostics.map(\.description))
        }
        for warning in loaded.warnings { log.info("reload: \(warning)") }
        changes = SettingsChanges(from: previous.settings, to: loaded.settings)
        do {
            snapshot = try Snapshot(loaded.settings, previous: previous, log: log)
            listeners = try Listeners.wishes(of: snapshot)
        } catch {
            throw ReloadError(mistakes: ["\(error)"])
        }
    }
}

/// Why a configuration cannot be served.
struct ReloadError: Error, Equatable {
    /// At least one.
    let mistakes: [String]
}
