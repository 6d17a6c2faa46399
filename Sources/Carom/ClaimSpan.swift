// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

#if Tracing
    import Tracing

    /// The span of a claim that is not served at once: `carom.claim`, with the attributes `carom.pool`, and at its end `carom.backend` or
    /// `error.type`, the code of its error.
    struct ClaimSpan {
        private let span: any Span

        init(pool: String) {
            span = startSpan("carom.claim")
            span.attributes["carom.pool"] = pool
        }

        func end(on backend: BackendID) {
            span.attributes["carom.backend"] = backend.description
            span.end()
        }

        func end(with error: PoolError) {
            span.attributes["error.type"] = error.code.description
            span.recordError(error)
            span.setStatus(SpanStatus(code: .error, message: error.message))
            span.end()
        }
    }
#endif
