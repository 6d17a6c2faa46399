// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

#if Probes
    import CCaromProbes
#endif

/// Tells tracers of clients that come and go, by static probes; without the trait `Probes` it does nothing.
enum SessionProbes {
    /// It has logged in.
    @inline(__always)
    static func begin(_ session: ClientSession) {
        #if Probes
            if carom_watches_session_begin() {
                carom_probe_session_begin(session.owner, session.user, session.database)
            }
        #endif
    }

    /// It has gone, or was never let in.
    @inline(__always)
    static func end(_ session: ClientSession) {
        #if Probes
            if carom_watches_session_end() { carom_probe_session_end(session.owner) }
        #endif
    }
}
