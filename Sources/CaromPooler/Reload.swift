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
    /// - Parameter options: hold beside what it says.
    /// - Throws: every mistake in it.
    init(of file: String, with options: CommandLineSettings, previous: Snapshot, log: PoolerLog)
        throws(ReloadError)
    {
        let loaded: ConfigurationFile
        do throws(ConfigurationErrors) {
            loaded = try ConfigurationFile.load(path: file)
        } catch {
            throw ReloadError(mistakes: error.diagnostics.map(\.description))
        }
        for warning in loaded.warnings { log.info("reload: \(warning)") }
        try self.init(loaded.settings.with(options), previous: previous, log: log)
    }

    /// Changes one setting of those that hold.
    init(_ change: SettingChange, previous: Snapshot, log: PoolerLog) throws(ReloadError) {
        let settings: Settings
        do throws(SettingChange.Refusal) {
            settings = try change.applied(to: previous.settings)
        } catch {
            throw ReloadError(mistakes: ["\(SetCommand.error(error, change.name).message)"])
        }
        try self.init(settings, previous: previous, log: log)
    }

    /// Reads the file, or makes the change, on this thread, beside the workers, which go on meanwhile.
    static func read(
        _ file: String, with options: CommandLineSettings, _ change: SettingChange?, previous: Snapshot,
        log: PoolerLog, on thread: ComputingThread
    ) async throws(ReloadError) -> Reload {
        let result = await withUnsafeContinuation {
            (done: UnsafeContinuation<Result<Reload, ReloadError>, Never>) in
            thread.submit {
                do throws(ReloadError) {
                    let reload =
                        if let change {
                            try Reload(change, previous: previous, log: log)
                        } else {
                            try Reload(of: file, with: options, previous: previous, log: log)
                        }
                    done.resume(returning: .success(reload))
                } catch {
                    done.resume(returning: .failure(error))
                }
            }
        }
        return try result.get()
    }

    private init(_ settings: Settings, previous: Snapshot, log: PoolerLog) throws(ReloadError) {
        changes = SettingsChanges(from: previous.settings, to: settings)
        do {
            snapshot = try Snapshot(settings, previous: previous, log: log)
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
