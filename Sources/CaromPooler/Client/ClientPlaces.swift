// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// The places that a client has under limits, and where it is counted. They are given back at its end.
struct ClientPlaces {
    // Small ones last: every client has this.
    var route: Route?
    var console: Admission?
    /// What it may do at the console.
    var role: ConsoleRole?
    /// Under `client_max`.
    var isAdmitted = false
    /// In the census.
    var isCounted = false

    /// Gives all of them back.
    mutating func giveBack(_ worker: Worker, database: String, user: String) {
        if isAdmitted { worker.admission.leave() }
        if isCounted { worker.router.census.leave(database: database, user: user) }
        if let route { worker.router.leave(route) }
        console?.leave()
        self = ClientPlaces()
    }
}
