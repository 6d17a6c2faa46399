// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

public import Carom
import CaromReactor

/// Backends from a file that may change: one a line, or JSON.
///
/// The file is watched by inotify, without polling. Replacing it by `rename(2)` is one change, and never read half.
/// A file that is missing, unreadable, empty or has one bad line changes nothing: the last good set stays, and the
/// problem is reported with the line's number. The text format is described at ``Format/text``.
public struct FileResolver: Resolver {
    /// How the file is written.
    public enum Format: Sendable, Hashable {
        /// One backend a line: `[name] address [key=value …]`; keys `weight` and `priority` are numbers from 0 to
        /// 65535, every other key is an attribute; `#` begins a comment.
        case text
        /// An array of objects with `address` and optionally `name`, `weight`, `priority` and `attributes`.
        case json
    }

    /// No list of backends is longer than 16 MiB; what is longer is the wrong file.
    private static let largest = 16 << 20

    private let path: String
    private let format: Format
    private let defaultPort: UInt16?
    private let onProblem: @Sendable (FileResolverError) -> Void
    private let onSuccess: @Sendable () -> Void

    /// Watches a file.
    ///
    /// - Parameters:
    ///   - path: of the file; its directory must exist.
    ///   - format: nil decides by the name: JSON if it ends in `.json`.
    ///   - defaultPort: for addresses without one.
    ///   - onProblem: told why a version of the file was not taken over, on the watching thread.
    public init(
        path: String, format: Format? = nil, defaultPort: UInt16? = nil,
        onProblem: @escaping @Sendable (FileResolverError) -> Void = { _ in }
    ) {
        self.init(
            path: path, format: format, defaultPort: defaultPort, onProblem: onProblem, onSuccess: {})
    }

    /// - Parameter onSuccess: told that a version of the file was read, whether it says something new or not.
    package init(
        path: String, format: Format?, defaultPort: UInt16?,
        onProblem: @escaping @Sendable (FileResolverError) -> Void,
        onSuccess: @escaping @Sendable () -> Void
    ) {
        self.path = path
        self.format = format ?? (path.hasSuffix(".json") ? .json : .text)
        self.defaultPort = defaultPort
        self.onProblem = onProblem
        self.onSuccess = onSuccess
    }

    /// Reads the file now, without watching it.
    ///
    /// - Throws: ``FileResolverError``.
    public func read() throws(FileResolverError) -> BackendSet {
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try readFile(path, limit: Self.largest)
        } catch {
            throw FileResolverError(line: nil, text: "\(error)")
        }
        let backends: [Backend]
        switch format {
        case .text:
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw FileResolverError(line: nil, text: "\(path) is not UTF-8")
            }
            backends = try BackendFile.parse(text: text, defaultPort: defaultPort)
        case .json: backends = try BackendFile.parse(json: bytes, defaultPort: defaultPort)
        }
        if backends.isEmpty { throw FileResolverError(line: nil, text: "\(path) names no backend") }
        return BackendSet(backends)
    }

    /// Publishes the file's backends now and after each good change, until cancelled.
    public func run(_ publish: @escaping @Sendable (BackendSet) -> Void) async {
        let watch: FileWatch
        do throws(SystemError) {
            watch = try FileWatch(path: path)
        } catch {
            onProblem(FileResolverError(line: nil, text: "\(error)"))
            if let set = try? read() { publish(set) }
            return
        }
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                do throws(SystemError) {
                    try SystemThread.start(name: "backend file") {
                        var last: BackendSet?
                        repeat { follow(&last, publish) } while watch.waitForChange()
                        continuation.resume()
                    }
                } catch {
                    onProblem(FileResolverError(line: nil, text: "no thread to watch \(path) with: \(error)"))
                    continuation.resume()
                }
            }
        } onCancel: {
            watch.stop()
        }
    }

    private func follow(_ last: inout BackendSet?, _ publish: @Sendable (BackendSet) -> Void) {
        do {
            let set = try read()
            if set != last { publish(set) }
            last = set
            onSuccess()
        } catch {
            onProblem(error)
        }
    }
}
