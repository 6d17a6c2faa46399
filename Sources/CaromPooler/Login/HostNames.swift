// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromReactor
import Glibc
import Synchronization

/// Finds out what clients' hosts are called, as PostgreSQL does it: the name of the address, which counts if the address is among those of
/// the name. Whoever owns an address may give it any name; only the owner of the name can confirm that.
///
/// Through the system's resolver, which may take seconds, on threads of its own.
final class HostNames: Sendable {
    /// Told of an answer, from any thread.
    typealias Waiter = @Sendable (HostAccessFacts.Host) -> Void

    private struct State {
        var cache = LookupCache<IPNetwork.Address, HostAccessFacts.Host, Waiter>(
            lifetime: HostNames.lifetime, limit: HostNames.limit)
        /// They start with the first name that is asked for.
        var threads: [ComputingThread] = []
    }

    private let state = Mutex(State())

    /// A name that has changed is believed for so long, as is that there is none.
    private static let lifetime = Duration.seconds(10)
    private static let limit = 10_000
    /// Addresses whose nameserver does not answer keep one of them busy each, for some seconds.
    private static let threadCount = 4

    /// What is known of an address, if anything is; else `waiter` is told.
    ///
    /// - Throws: `SystemError` when threads have run out.
    func find(_ address: IPNetwork.Address, then waiter: @escaping Waiter) throws(SystemError)
        -> HostAccessFacts.Host?
    {
        let found: Result<HostAccessFacts.Host?, SystemError> = state.withLock { state in
            do throws(SystemError) {
                try Self.start(&state.threads)
            } catch {
                return .failure(error)
            }
            switch state.cache.find(address, at: .now, waiter) {
            case .known(let host): return .success(host)
            case .wait: break
            case .ask:
                let thread = state.threads[Int(address.bytes.last ?? 0) % state.threads.count]
                thread.submit { self.lookUp(address) }
            }
            return .success(nil)
        }
        return try found.get()
    }

    private static func start(_ threads: inout [ComputingThread]) throws(SystemError) {
        while threads.count < threadCount { threads.append(try ComputingThread(name: "host-names")) }
    }

    private func lookUp(_ address: IPNetwork.Address) {
        let host: HostAccessFacts.Host = address.confirmedHostName.map { .named($0) } ?? .nameless
        let waiters = state.withLock { $0.cache.learned(host, of: address, at: .now, keeping: true) }
        for waiter in waiters { waiter(host) }
    }
}
