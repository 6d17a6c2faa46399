// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol

/// What a chunk from a server came to.
struct ServerStep: ~Copyable {
    /// What is to be done after a chunk from the server, when its visible part has gone to the client.
    enum Next {
        /// Nothing changes hands.
        case proceed
        /// The client is told this, and its bytes go on: settings as its server reports them (`utc` is `UTC`), an answer that was held
        /// back.
        case tell([UInt8])
        /// The server has confirmed the client's settings, and the client's bytes go on.
        case prepared(telling: [UInt8])
        /// The server is free. The client is told something first.
        case release(telling: [UInt8])
        /// The server is asked the question of the phase; see ``RelayMachine/ask(_:_:)``. The client is told something first.
        case ask(telling: [UInt8])
        /// Other channels are to be listened to for the client. It is told something first.
        indirect case listen(telling: [UInt8], then: Next)
        /// The client had said goodbye and has its last answer. It is told something behind that.
        case finish(telling: [UInt8])
        /// The server refused a setting of the client's.
        case refuse(ErrorFields)
        /// The server could not be made clean: it is closed, and the client gets another.
        case replace(String)
        /// The server broke the protocol.
        case lose(String)
    }

    let received: ServerState.Received
    let next: Next
}
