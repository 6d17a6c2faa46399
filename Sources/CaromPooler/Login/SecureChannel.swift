// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromTLS

/// A client's connection under TLS, as far as authentication asks for it.
struct SecureChannel {
    /// The hash of our certificate, to which SCRAM binds (`tls-server-end-point`); nil if its kind defines none.
    let endPoint: [UInt8]?
    /// The common name in the client's certificate, if it has shown one that was verified.
    let commonName: String?

    init(endPoint: [UInt8]?, commonName: String?) {
        self.endPoint = endPoint
        self.commonName = commonName
    }

    /// - Parameter session: a session whose handshake is done.
    init(_ session: TLSSession) {
        endPoint = session.serverEndPoint
        commonName = session.hasVerifiedPeer ? session.peerCommonName : nil
    }
}
