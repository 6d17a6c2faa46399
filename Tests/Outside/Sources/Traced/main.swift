// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresPool
import InMemoryTracing
import Tracing

// What a tracer sees of a request that waits for a connection and runs statements, one of which fails.
let tracer = InMemoryTracer()
InstrumentationSystem.bootstrap(tracer)
var policy = Policy()
policy.maxSlots = 1
let database = try PostgresPool(CommandLine.arguments[1], policy: policy)
async let running: Void = database.run()
await withSpan("request") { _ in
    _ = try? await database.query(
        "select \(7) / n from generate_series(1, 2) n where 'secret' <> \("hidden")")
    _ = try? await database.query("select \(7) / 0")
    _ = try? await database.stream("select 1") { rows in for try await _ in rows { break } }
    _ = try? await database.withConnection { connection in
        try await connection.copyOut("copy (select 1) to stdout") { pieces in for try await _ in pieces {} }
        // Somebody else wants the only one.
        _ = try? await database.pool.claim(timeout: .milliseconds(10))
    }
}
await database.stop()
try await running
let names = [
    "carom.pool", "carom.backend", "error.type", "db.system.name", "db.query.text", "db.response.status_code",
    "server.address", "server.port",
]
func text(_ attribute: SpanAttribute) -> String {
    switch attribute {
    case .string(let text): text
    case .int64(let number): "\(number)"
    default: "\(attribute)"
    }
}
let spans = tracer.finishedSpans
let request = spans.first { $0.operationName == "request" }?.spanID
for span in spans where span.operationName != "request" {
    let attributes = names.compactMap { name in span.attributes.get(name).map { "\(name)=\(text($0))" } }
    print(
        ([span.parentSpanID == request ? span.operationName : "orphan"] + attributes).joined(separator: "|"))
}
