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
        try self.init(loaded.settings.with(options), of: loaded.ini, previous: previous, log: log)
    }

    /// Changes one setting of those that hold.
    init(_ change: LiveChange, with options: CommandLineSettings, previous: Snapshot, log: PoolerLog)
        throws(ReloadError)
    {
        let settings: Settings
        var ini: IniConfiguration?
        do {
            if let loaded = try previous.ini?.changed(by: change) {
                ini = loaded.ini
                settings = try ini?.applyDirectives(to: loaded.settings.with(options)) ?? loaded.settings
            } else if case .directive(let change) = change {
                settings = try change.applied(to: previous.settings)
            } else {
                preconditionFailure("a key of ini files was set without one")
            }
        } catch let errors as ConfigurationErrors {
            throw ReloadError(mistakes: errors.diagnostics.filter { $0.severity == .error }.map(\.message))
        } catch {
            throw ReloadError(mistakes: ["the setting cannot be made: \(error)"])
        }
        try self.init(settings, of: ini, previous: previous, log: log)
    }

    /// Reads the file, or makes the change, on this thread, beside the workers, which go on meanwhile.
    static func read(
        _ file: String, with options: CommandLineSettings, _ change: LiveChange?, previous: Snapshot,
        log: PoolerLog, on thread: ComputingThread
    ) async throws(ReloadError) -> Reload {
        let result = await withUnsafeContinuation {
            (done: UnsafeContinuation<Result<Reload, ReloadError>, Never>) in
            thread.submit {
                do throws(ReloadError) {
                    let reload =
                        if let change {
                            try Reload(change, with: options, previous: previous, log: log)
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

    private init(_ settings: Settings, of ini: IniConfiguration?, previous: Snapshot, log: PoolerLog)
        throws(ReloadError)
    {
        changes = SettingsChanges(from: previous.settings, to: settings)
        do {
            snapshot = try Snapshot(settings, of: ini, previous: previous, log: log)
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
