// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromReactor

/// The files beside the configuration that say who may come. They are read again when they change, and a reload keeps those that are still
/// named.
struct AccessFiles: Sendable {
    private let previous: [UserListFile]
    private var userLists: [UserListFile] = []

    /// - Parameter previous: the files of before.
    init(previous: AccessFiles?) { self.previous = previous?.userLists ?? [] }

    /// Whether there is none.
    var isEmpty: Bool { userLists.isEmpty }

    /// The users of a route's `auth_file`; nil if it has none.
    ///
    /// - Throws: ``AccessFileError`` when it cannot be used.
    mutating func users(of route: RouteSettings, mockSecret: [UInt8]) throws(AccessFileError)
        -> UserListFile?
    {
        guard let path = route.authFile else { return nil }
        func isIt(_ file: UserListFile) -> Bool { file.path == path && file.method == route.authentication }
        if let known = userLists.first(where: isIt) { return known }
        let file: UserListFile
        if let known = previous.first(where: isIt) {
            _ = try known.refresh()
            file = known
        } else {
            file = try UserListFile(path: path, method: route.authentication, mockSecret: mockSecret)
        }
        userLists.append(file)
        return file
    }

    /// Reads those that have changed. May take a while.
    func refresh(_ log: PoolerLog) {
        for file in userLists {
            do throws(AccessFileError) {
                if try file.refresh() { log.info("auth_file \(file.path): read again") }
            } catch {
                log.error("auth_file: \(error); what it said before still holds")
            }
        }
    }
}
