// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Reactor

extension Pooler {
    /// Opens every listener of the settings; all or none.
    func listen(on reactor: Reactor) throws(SystemError) -> [(Listener, ListenSettings)] {
        var listeners: [(Listener, ListenSettings)] = []
        do throws(SystemError) {
            for block in settings.listeners {
                for (address, mode) in try addresses(of: block) {
                    let listener = try Listener(
                        on: address, backlog: Int32(clamping: block.backlog), mode: mode, reactor: reactor)
                    listeners.append((listener, block))
                }
            }
        } catch {
            for (listener, _) in listeners { listener.close() }
            throw error
        }
        return listeners
    }

    private func addresses(of block: ListenSettings) throws(SystemError) -> [(SocketAddress, UInt32)] {
        let mode: UInt32 = 0o777
        switch settings.address(of: block) {
        case .everyAddress(let port):
            return ["0.0.0.0", "::"].map { (SocketAddress(.ip($0, port: UInt16(port))), mode) }
        case .host(let host, let port):
            return try SocketAddress.lookUp(host, port: UInt16(port)).map { ($0, mode) }
        case .unixSocket(let path, let mode):
            return [(SocketAddress(.unix(path: path)), UInt32(mode))]
        }
    }

    /// Takes clients and hands them to the workers in turn.
    func accept(_ listener: Listener, _ block: ListenSettings) async {
        do throws(SystemError) {
            while let accepted = try await listener.accept() {
                let index = nextWorker.wrappingAdd(1, ordering: .relaxed).oldValue
                workers[index % workers.count].deliver(Worker.Arrival(accepted: accepted, listener: block))
            }
        } catch {
            log.error("\(error); this listener is closed")
            listener.close()
        }
    }
}
