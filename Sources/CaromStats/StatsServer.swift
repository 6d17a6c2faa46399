// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import FlyingFox
import FlyingSocks
import FoundationEssentials
import Glibc
public import Logging

/// Serves what pools do over HTTP, for `carom top`, qtop, scripts and a browser.
///
/// - `/qtop/stats`: a WebSocket that sends one binary message with JSON (``StatsFrame``) at once, every `update_secs`
///   seconds (a query parameter, 0 to 255, default 1; 0 for changes only) and whenever the set of backends changes.
///   With the query parameter `pool` it is about the pool of that name alone.
/// - `/stats`: the same JSON once.
/// - `/`: a page that shows it with plots, live.
///
/// There is no authentication: bind it to a loopback address or a trusted network.
///
/// ```swift
/// let recorder = PoolRecorder()
/// let pool = try Pool(name: "orders", resolver: resolver, connector: connector, observers: [recorder])
/// try await StatsServer([ObservedPool(pool, recorder: recorder)], port: 42069).run()
/// ```
public struct StatsServer: Sendable {
    /// The literal address it binds to.
    public let host: String
    /// The port it binds to; 0 lets the kernel choose.
    public let port: UInt16
    private let pools: @Sendable () -> [ObservedPool]
    private let logger: Logger?
    private let documents: [StatsDocument]

    /// A server for these pools.
    ///
    /// - Parameters:
    ///   - pools: whose statistics to serve.
    ///   - host: a literal IPv4 or IPv6 address.
    ///   - port: 0 lets the kernel choose.
    ///   - logger: told about requests, at level `trace`, and failures, at `debug`; nil for silence.
    public init(
        _ pools: [ObservedPool], host: String = "127.0.0.1", port: UInt16, logger: Logger? = nil
    ) {
        self.init(host: host, port: port, logger: logger) { pools }
    }

    /// A server for pools that come and go.
    ///
    /// - Parameters:
    ///   - host: a literal IPv4 or IPv6 address.
    ///   - port: 0 lets the kernel choose.
    ///   - logger: told about requests, at level `trace`, and failures, at `debug`; nil for silence.
    ///   - pools: asked for each message.
    public init(
        host: String = "127.0.0.1", port: UInt16, logger: Logger? = nil,
        pools: @escaping @Sendable () -> [ObservedPool]
    ) {
        self.init(host: host, port: port, logger: logger, documents: [], pools: pools)
    }

    /// A server for pools that come and go, and for documents of another kind.
    package init(
        host: String, port: UInt16, logger: Logger?, documents: [StatsDocument],
        pools: @escaping @Sendable () -> [ObservedPool]
    ) {
        self.documents = documents
        self.host = host
        self.port = port
        self.logger = logger
        self.pools = pools
    }

    /// Serves until the task is cancelled.
    ///
    /// - Parameter onListening: told the port once connections are accepted.
    /// - Throws: ``StatsServerError`` if the address cannot be used.
    public func run(onListening: (@Sendable (UInt16) -> Void)? = nil) async throws(StatsServerError) {
        let server = try makeServer()
        await addRoutes(to: server)
        do {
            try await withThrowingTaskGroup { group in
                group.addTask { try await server.run() }
                if let onListening {
                    group.addTask {
                        try await server.waitUntilListening()
                        onListening(await server.boundPort ?? port)
                    }
                }
                // The first failure ends the other.
                while try await group.next() != nil {}
            }
        } catch {
            if Task.isCancelled { return }
            throw StatsServerError("cannot serve statistics on \(host) port \(port): \(error)")
        }
    }

    private func makeServer() throws(StatsServerError) -> HTTPServer {
        let log: any FlyingSocks.Logging = logger.map { ServerLog(logger: $0) } ?? .disabled
        do {
            if host.utf8.contains(UInt8(ascii: ":")) {
                return HTTPServer(address: try sockaddr_in6.inet6(ip6: host, port: port), logger: log)
            }
            return HTTPServer(address: try sockaddr_in.inet(ip4: host, port: port), logger: log)
        } catch {
            throw StatsServerError("'\(host)' is not a literal IPv4 or IPv6 address")
        }
    }

    private func addRoutes(to server: HTTPServer) async {
        // The first of two routes with one path is the one that counts.
        for document in documents {
            await server.appendRoute(HTTPRoute("GET \(document.path)")) { request in
                let content = document.content(request.headers[HTTPHeader("Accept")])
                return HTTPResponse(
                    statusCode: content.isUnavailable ? .serviceUnavailable : .ok,
                    headers: [.contentType: content.type, .cacheControl: "no-store"], body: content.body)
            }
        }
        let allPools = pools
        await server.appendRoute("GET /qtop/stats") { request in
            guard let interval = Self.interval(request.query["update_secs"]) else {
                return Self.refusal(.badRequest, "update_secs must be a whole number from 0 to 255")
            }
            var pools = allPools
            if let name = request.query["pool"] {
                pools = { allPools().filter { $0.stats().name == name } }
                if pools().isEmpty { return Self.refusal(.notFound, "there is no pool of this name") }
            }
            return try await WebSocketHTTPHandler(handler: StatsFeed(pools: pools, interval: interval))
                .handleRequest(request)
        }
        await server.appendRoute("GET /stats") { _ in
            HTTPResponse(
                statusCode: .ok, headers: [.contentType: "application/json", .cacheControl: "no-store"],
                body: StatsFrame(allPools()).json)
        }
        await server.appendRoute("GET /") { _ in
            let page = StatsPage()
            var headers: [HTTPHeader: String] = [
                .contentType: "text/html; charset=utf-8", .cacheControl: "no-store",
            ]
            for (name, value) in page.headers { headers[HTTPHeader(name)] = value }
            return HTTPResponse(statusCode: .ok, headers: HTTPHeaders(headers), body: Data(page.html.utf8))
        }
    }

    private static func refusal(_ status: HTTPStatusCode, _ sentence: String) -> HTTPResponse {
        HTTPResponse(
            statusCode: status, headers: [.contentType: "text/plain"], body: Data("\(sentence)\n".utf8))
    }

    /// Seconds between messages; nil for what is no such number.
    static func interval(_ text: String?) -> UInt8? {
        guard let text else { return 1 }
        return UInt8(text)
    }
}

/// Why a ``StatsServer`` could not serve.
public struct StatsServerError: Error, Sendable, CustomStringConvertible {
    /// One sentence with the address.
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}

extension HTTPServer {
    fileprivate var boundPort: UInt16? {
        switch listeningAddress {
        case .ip4(_, let port), .ip6(_, let port): port
        case .unix, nil: nil
        }
    }
}
