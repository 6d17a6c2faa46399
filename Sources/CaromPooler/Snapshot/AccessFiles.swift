// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromReactor

/// The files beside the configuration that say who may come. They are read again when they change, and a reload keeps those that are still
/// named.
struct AccessFiles: Sendable {
    private let previous: [UserListFile]
    private var userLists: [UserListFile] = []
    /// Of the `hba_file`, if there is one.
    let hostAccess: HostAccess?

    /// - Parameter previous: the files of before.
    /// - Throws: ``AccessFileError`` when the `hba_file` cannot be used.
    init(_ settings: Settings, previous: AccessFiles?) throws(AccessFileError) {
        self.previous = previous?.userLists ?? []
        guard let path = settings.hbaFile else {
            hostAccess = nil
            return
        }
        let asksRoles = settings.roleQuerySettings != nil
        if let known = previous?.hostAccess, known.path == path, known.identPath == settings.identFile,
            known.asksRoles == asksRoles
        {
            _ = try known.refresh()
            hostAccess = known
        } else {
            hostAccess = try HostAccess(
                path: path, identPath: settings.identFile, asksRoles: asksRoles)
        }
    }

    /// Whether there is none.
    var isEmpty: Bool { userLists.isEmpty && hostAccess == nil }

    /// The users of a route's `auth_file`; nil if it has none.
    ///
    /// - Throws: ``AccessFileError`` when it cannot be used.
    mutating func users(of route: RouteSettings, by method: AuthenticationMethod, mockSecret: [UInt8])
        throws(AccessFileError) -> UserListFile?
    {
        guard let path = route.authFile else { return nil }
        func isIt(_ file: UserListFile) -> Bool { file.path == path && file.method == method }
        if let known = userLists.first(where: isIt) { return known }
        let file: UserListFile
        if let known = previous.first(where: isIt) {
            _ = try known.refresh()
            file = known
        } else {
            file = try UserListFile(path: path, method: method, mockSecret: mockSecret)
        }
        userLists.append(file)
        return file
    }

    /// Has them read again when they change, until the task is cancelled, beside the workers: files may keep whoever asks for them waiting.
    ///
    /// - Parameter present: those of now.
    static func follow(_ present: @Sendable () -> AccessFiles, on reactor: Reactor, _ log: PoolerLog) async {
        var thread: ComputingThread?
        while await reactor.sleep(for: present().isEmpty ? .seconds(1) : .milliseconds(300)) {
            let files = present()
            if files.isEmpty { continue }
            if thread == nil { thread = try? ComputingThread(name: "access-files") }
            thread?.submit { files.refresh(log) }
        }
    }

    /// Reads those that have changed. May take a while.
    func refresh(_ log: PoolerLog) {
        if let hostAccess {
            do throws(AccessFileError) {
                if try hostAccess.refresh() { log.info("hba_file \(hostAccess.path): read again") }
            } catch {
                log.error("hba_file: \(error); what it said before still holds")
            }
        }
        for file in userLists {
            do throws(AccessFileError) {
                if try file.refresh() { log.info("auth_file \(file.path): read again") }
            } catch {
                log.error("auth_file: \(error); what it said before still holds")
            }
        }
    }
}
