// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization

@testable import CaromDNS

/// A real nameserver (Knot DNS) with one zone, example.com, that can be changed, killed and started again.
final class KnotServer: Sendable {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    let address: DNSServer
    private let folder: URL
    private let process = Mutex<Process?>(nil)
    private let serial = Mutex(1)

    /// Starts with a zone of these lines. Each server gets a loopback address of its own.
    init(_ lines: [String], host: Int = 11) throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "knot-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(
            at: folder.appending(path: "db"), withIntermediateDirectories: true)
        address = try DNSServer(address: "127.0.0.\(host)", port: try Self.freePort(host))
        try """
        server:
            rundir: "\(folder.path)"
            listen: \(address.address)@\(address.port)
            udp-workers: 1
            tcp-workers: 1
            background-workers: 1
        database:
            storage: "\(folder.path)/db"
        control:
            listen: "\(folder.path)/knot.sock"
        log:
          - target: stderr
            any: error
        template:
          - id: default
            storage: "\(folder.path)"
            journal-content: none
            zonefile-sync: -1
        zone:
          - domain: example.com
            file: example.com.zone
          - domain: broken.example
            file: missing.zone
        """.write(to: folder.appending(path: "knot.conf"), atomically: true, encoding: .utf8)
        try write(lines)
        try start()
    }

    deinit {
        kill()
        try? FileManager.default.removeItem(at: folder)
    }

    /// Replaces the zone's lines (with TTLs; SOA and NS are added) and returns when the server has them.
    func change(_ lines: [String]) throws {
        try write(lines)
        try control("-b", "zone-reload", "example.com")
    }

    func start() throws {
        let daemon = Process()
        daemon.executableURL = try Self.tool("knotd")
        daemon.arguments = ["-c", folder.appending(path: "knot.conf").path]
        daemon.standardError = FileHandle.nullDevice
        daemon.standardOutput = FileHandle.nullDevice
        try daemon.run()
        process.withLock { $0 = daemon }
        let limit = ContinuousClock.now.advanced(by: .seconds(20))
        while true {
            do {
                try control("-b", "status")
                try control("-b", "zone-status", "example.com")
                return
            } catch {
                guard daemon.isRunning, ContinuousClock.now < limit else {
                    throw Failure(description: "knotd did not start in \(folder.path): \(error)")
                }
            }
        }
    }

    func kill() {
        process.withLock { process in
            guard let daemon = process else { return }
            Foundation.kill(daemon.processIdentifier, SIGKILL)
            daemon.waitUntilExit()
            process = nil
        }
    }

    private func write(_ lines: [String]) throws {
        let number = serial.withLock { serial in
            serial += 1
            return serial
        }
        let zone = [
            "$ORIGIN example.com.", "@ 60 SOA ns admin \(number) 60 60 60 1", "@ 60 NS ns",
            "ns 60 A \(address.address)",
        ]
        try ((zone + lines).joined(separator: "\n") + "\n").write(
            to: folder.appending(path: "example.com.zone"), atomically: true, encoding: .utf8)
    }

    private func control(_ arguments: String...) throws {
        let tool = Process()
        tool.executableURL = try Self.tool("knotc")
        tool.arguments = ["-s", folder.appending(path: "knot.sock").path] + arguments
        let output = Pipe()
        tool.standardError = output
        tool.standardOutput = output
        try tool.run()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        tool.waitUntilExit()
        guard tool.terminationStatus == 0 else {
            throw Failure(description: "knotc \(arguments): \(String(decoding: text, as: UTF8.self))")
        }
    }

    private static func tool(_ name: String) throws -> URL {
        for folder in ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"] {
            let path = "\(folder)/\(name)"
            if FileManager.default.isExecutableFile(atPath: path) { return URL(fileURLWithPath: path) }
        }
        throw Failure(
            description: "\(name) is not installed; these tests need Knot DNS (Debian package: knot)")
    }

    /// A port that is free for UDP and TCP.
    private static func freePort(_ host: Int) throws -> UInt16 {
        for _ in 0..<50 {
            let port = UInt16.random(in: 20_000...32_000)
            let free = [SOCK_DGRAM, SOCK_STREAM].allSatisfy { type in
                let descriptor = socket(AF_INET, Int32(type.rawValue), 0)
                defer { close(descriptor) }
                var address = sockaddr_in()
                address.sin_family = sa_family_t(AF_INET)
                address.sin_port = port.bigEndian
                address.sin_addr.s_addr = UInt32(0x7f00_0000 + host).bigEndian
                return withUnsafePointer(to: &address) { pointer in
                    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                    } == 0
                }
            }
            if free { return port }
        }
        throw Failure(description: "no free port on 127.0.0.\(host)")
    }
}
