// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import Logging

/// Brings what our libraries say through swift-log into the pooler's log: one file, one format.
///
/// `trace` and `debug` are shown with `log_debug`, of everything or of the route concerned; `notice` is `info`, `warning` is `error`, `critical` is `fatal`.
/// The label stands before the message, metadata behind it as `key=value`, sorted by key.
package struct PoolerLogHandler: LogHandler {
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    private let log: PoolerLog
    private let label: String
    private let phase: LogPhase
    private let isDebugging: Bool
    private var ownLevel: Logger.Level?

    /// - Parameters:
    ///   - phase: what `%c` shows.
    ///   - isDebugging: shows `trace` and `debug` even without `log_debug`: the route concerned has it.
    package init(_ log: PoolerLog, label: String, phase: LogPhase, isDebugging: Bool = false) {
        self.log = log
        self.label = label
        self.phase = phase
        self.isDebugging = isDebugging
    }

    /// Follows `log_debug` until it is set.
    package var logLevel: Logger.Level {
        get { ownLevel ?? (isDebugging || log.isDebugging ? .trace : .info) }
        set { ownLevel = newValue }
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let message = text(of: event)
        let context = LogContext(phase)
        switch event.level {
        // The logger has compared with `logLevel` before, so this is to be shown.
        case .trace, .debug: log.debug(message, in: context, ofRoute: true)
        case .info, .notice: log.info(message, in: context)
        case .warning, .error: log.error(message, in: context)
        case .critical: log.fatal(message, in: context)
        }
    }

    private func text(of event: LogEvent) -> String {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { $1 } }
        if let given = event.metadata { all.merge(given) { $1 } }
        let pairs = all.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }
        return "\(label): \(event.message)" + pairs.joined()
    }
}
