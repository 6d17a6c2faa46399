// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromReactor
import Glibc
import Synchronization

extension Pooler {
    /// Opens every listener of the settings; all or none.
    func listen(on reactor: Reactor) throws(SystemError) -> [(Listener, ListenRule)] {
        var listeners: [(Listener, ListenRule)] = []
        do throws(SystemError) {
            for block in settings.listeners {
                let rule = ListenRule(block)
                for (address, mode) in try addresses(of: block) {
                    do throws(SystemError) {
                        let listener = try Listener(
                            on: address, backlog: Int32(clamping: block.backlog), mode: mode,
                            tcp: TCPOptions(settings), reactor: reactor)
                        listeners.append((listener, rule))
                    } catch  where error.code == EAFNOSUPPORT && address == Self.everyIPv6(block.port) {
                        log.info("\(error); this machine has no IPv6")
                    }
                }
            }
        } catch {
            for (listener, _) in listeners { listener.close() }
            throw error
        }
        return listeners
    }

    private static func everyIPv6(_ port: Int) -> SocketAddress {
        SocketAddress(.ip("::", port: UInt16(clamping: port)))
    }

    private func addresses(of block: ListenSettings) throws(SystemError) -> [(SocketAddress, UInt32)] {
        let mode: UInt32 = 0o777
        switch settings.address(of: block) {
        case .everyAddress(let port):
            return [(SocketAddress(.ip("0.0.0.0", port: UInt16(port))), mode), (Self.everyIPv6(port), mode)]
        case .host(let host, let port):
            return try SocketAddress.lookUp(host, port: UInt16(port)).map { ($0, mode) }
        case .unixSocket(let path, let mode):
            return [(SocketAddress(.unix(path: path)), UInt32(mode))]
        }
    }

    /// Takes clients and hands them to the workers in turn.
    func accept(_ listener: Listener, _ rule: ListenRule) async {
        do throws(SystemError) {
            while let accepted = try await listener.accept() {
                let index = nextWorker.wrappingAdd(1, ordering: .relaxed).oldValue
                workers[index % workers.count].deliver(Worker.Arrival(accepted: accepted, rule: rule))
            }
        } catch {
            log.error("\(error); this listener is closed")
            listener.close()
        }
    }
}
