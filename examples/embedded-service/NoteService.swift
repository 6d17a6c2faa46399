// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgres
import FlyingFox
import FlyingSocks
import FoundationEssentials
import Glibc
import Logging
import ServiceLifecycle

/// Answers HTTP requests for notes: `GET /notes`, `GET /notes/:id`, `POST /notes` and `GET /health`.
struct NoteService: Service {
    let notes: NoteStore
    let port: UInt16
    let logger: Logger

    /// The longest note.
    private static let longest = 4096

    func run() async throws {
        let server = HTTPServer(
            address: try sockaddr_in.inet(ip4: "127.0.0.1", port: port), logger: .disabled)
        await addRoutes(to: server)
        try await cancelWhenGracefulShutdown {
            try await notes.prepare()
            logger.info("notes on http://127.0.0.1:\(port)/notes")
            do {
                try await server.run()
            } catch {
                // Told to stop, the server ends with an error of its own.
                if !Task.isCancelled { throw error }
            }
        }
    }

    private func addRoutes(to server: HTTPServer) async {
        await server.appendRoute("GET /notes") { _ in
            await answer { try Self.json(try await notes.newest(20)) }
        }
        await server.appendRoute("GET /notes/:id") { request in
            await answer {
                guard let id = request.routeParameters["id"].flatMap({ Int($0) }),
                    let note = try await notes.note(id)
                else { return HTTPResponse(statusCode: .notFound) }
                return try Self.json(note)
            }
        }
        await server.appendRoute("POST /notes") { request in
            let body = try await request.bodyData
            guard let text = String(validating: body, as: UTF8.self), !text.isEmpty,
                body.count <= Self.longest
            else {
                return Self.text(.badRequest, "a note is 1 to \(Self.longest) bytes of UTF-8")
            }
            return await answer { try Self.json(try await notes.add(text), status: .created) }
        }
        await server.appendRoute("GET /health") { _ in
            await answer {
                _ = try await notes.pool.withConnection(timeout: .seconds(1)) {
                    try await $0.execute("select 1")
                }
                return Self.text(.ok, "well")
            }
        }
    }

    /// The response, or what went wrong: 503 when there is no connection to be had, 500 when the work failed.
    private func answer(_ work: () async throws -> HTTPResponse) async -> HTTPResponse {
        do {
            return try await work()
        } catch let error as PoolError {
            logger.warning("\(error)")
            return Self.text(.serviceUnavailable, error.message)
        } catch {
            logger.error("\(error)")
            return Self.text(.internalServerError, "the database could not do it")
        }
    }

    private static func json(_ value: some Encodable, status: HTTPStatusCode = .ok) throws -> HTTPResponse {
        HTTPResponse(
            statusCode: status, headers: [.contentType: "application/json"],
            body: try JSONEncoder().encode(value))
    }

    private static func text(_ status: HTTPStatusCode, _ text: String) -> HTTPResponse {
        HTTPResponse(statusCode: status, headers: [.contentType: "text/plain"], body: Data("\(text)\n".utf8))
    }
}
