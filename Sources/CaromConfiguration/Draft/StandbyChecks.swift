// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What a route may say about standbys.
struct StandbyChecks {
    /// Of the route; nil if it is not defined.
    private let storage: ConfigurationBlock<StorageSettings>?

    init(_ storage: ConfigurationBlock<StorageSettings>?) {
        self.storage = storage
    }

    func check(_ block: ConfigurationBlock<RouteSettings>, _ findings: inout ConfigurationFindings) {
        let route = block.value
        if let position = block.given["read_retry"], route.readRetry > 0,
            !route.mayRetryReads(at: storage?.value.targetSessionAttributes)
        {
            findings.warn(
                position,
                "'read_retry' has no effect in session pooling and without target_session_attrs \"standby\"")
        }
        if route.catchupTimeout != nil, let position = block.given["catchup_timeout"],
            let storage, storage.value.watchdog == nil, !storage.isDamaged
        {
            findings.report(
                position, "catchup_timeout needs a 'watchdog' in storage \(quoted(storage.value.name))")
        }
        // A dump spells the default out.
        if route.catchupTimeout == nil, route.catchupExceeded != .error,
            let position = block.given["catchup_exceeded"]
        {
            findings.warn(position, "'catchup_exceeded' has no effect without 'catchup_timeout'")
        }
    }
}
