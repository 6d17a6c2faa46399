// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import Foundation

/// Certificates made by the `openssl` command into a temporary folder, once per test run.
package struct TestCertificates {
    package let folder: URL

    package static let shared: Result<TestCertificates, any Error> = Result {
        let certificates = try TestCertificates()
        atexit {
            if let folder = try? TestCertificates.shared.get().folder {
                try? FileManager.default.removeItem(at: folder)
            }
        }
        return certificates
    }

    package func path(_ name: String) -> String { folder.appending(path: name).path }

    private init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "tls-tests-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try authority("ca", common: "Test Authority")
        try authority("other", common: "Another Authority")
        try leaf("server", common: "server", names: "DNS:db.example.com,DNS:*.pool.example.com,IP:127.0.0.1")
        try leaf("client", common: "alice", names: "DNS:alice")
        try openssl("ecparam -name prime256v1 -genkey -noout -out sha384.key")
        try openssl("req -new -x509 -key sha384.key -sha384 -subj /CN=sha384 -days 2 -out sha384.crt")
        try openssl("genpkey -algorithm ed25519 -out ed25519.key")
        try openssl("req -new -x509 -key ed25519.key -subj /CN=ed25519 -days 2 -out ed25519.crt")
        try leaf("revoked", common: "mallory", names: "DNS:mallory")
        try register()
        try openssl("ec -in server.key -aes256 -passout pass:secret -out encrypted.key")
    }

    private func authority(_ name: String, common: String) throws {
        try openssl("ecparam -name prime256v1 -genkey -noout -out \(name).key")
        try openssl(
            "req -new -x509 -key \(name).key -days 2 -out \(name).crt -subj", last: "/CN=\(common)")
    }

    private func leaf(_ name: String, common: String, names: String) throws {
        try "subjectAltName=\(names)\n".write(
            to: folder.appending(path: "\(name).ext"), atomically: true, encoding: .utf8)
        try openssl("ecparam -name prime256v1 -genkey -noout -out \(name).key")
        try openssl("req -new -key \(name).key -subj /CN=\(common) -out \(name).csr")
        try openssl(
            "x509 -req -in \(name).csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile \(name).ext "
                + "-out \(name).crt")
    }

    /// What only an authority with books can make: a certificate of times gone by, and the list of what was taken back.
    private func register() throws {
        try """
        [ca]
        default_ca = books
        [books]
        database = books.txt
        default_md = sha256
        default_crl_days = 2
        rand_serial = yes
        new_certs_dir = .
        policy = names
        [names]
        commonName = supplied
        """.write(to: folder.appending(path: "books.cnf"), atomically: true, encoding: .utf8)
        try "".write(to: folder.appending(path: "books.txt"), atomically: true, encoding: .utf8)
        let ca = "ca -config books.cnf -keyfile ca.key -cert ca.crt"
        try openssl(
            "\(ca) -batch -notext -in server.csr -startdate 20200101000000Z -enddate 20200201000000Z -out expired.crt"
        )
        try openssl("\(ca) -revoke revoked.crt")
        try openssl("\(ca) -gencrl -out ca.crl")
    }

    private func openssl(_ words: String, last: String? = nil) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        process.arguments = words.split(separator: " ").map(String.init) + (last.map { [$0] } ?? [])
        process.currentDirectoryURL = folder
        let output = Pipe()
        process.standardError = output
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw OpenSSLCommandFailed(
                description: "openssl \(words): \(String(decoding: text, as: UTF8.self))")
        }
    }
}

struct OpenSSLCommandFailed: Error, CustomStringConvertible {
    let description: String
}
