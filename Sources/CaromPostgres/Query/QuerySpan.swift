// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

#if Tracing
    import Carom
    import Tracing
#endif

/// The span of a statement, under the trait `Tracing`; else nothing.
///
/// Its name is the statement's first word; its attributes are those of OpenTelemetry's conventions for databases: `db.system.name`,
/// `db.query.text` (values are not part of it), `server.address`, `server.port`, and of an error `error.type` and `db.response.status_code`.
struct QuerySpan {
    #if Tracing
        private let span: any Span
    #endif

    init(_ sql: String, on connection: PostgresConnection) {
        #if Tracing
            let word = sql.drop { $0.isWhitespace }.prefix { $0.isASCII && $0.isLetter }
            span = startSpan(word.isEmpty ? "postgresql" : word.uppercased(), ofKind: .client)
            span.attributes["db.system.name"] = "postgresql"
            span.attributes["db.query.text"] = sql
            switch connection.backend.address {
            case .ip(let host, let port):
                span.attributes["server.address"] = host
                span.attributes["server.port"] = Int(port)
            case .unix(let path): span.attributes["server.address"] = path
            }
        #endif
    }

    func end() {
        #if Tracing
            span.end()
        #endif
    }

    func end(with error: any Error) {
        #if Tracing
            let failure = error as? PostgresError
            span.attributes["error.type"] = failure.map { "\($0.code)" } ?? "\(type(of: error))"
            if let state = failure?.sqlState { span.attributes["db.response.status_code"] = state }
            span.recordError(error)
            span.setStatus(SpanStatus(code: .error, message: failure?.message))
            span.end()
        #endif
    }
}
