// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromOpenSSL

/// Unpredictable bytes from OpenSSL's generator, which seeds itself from the kernel: for salts, nonces, cancel keys.
package enum RandomBytes {
    /// Fills the whole buffer. An empty buffer is filled trivially.
    package static func fill(_ buffer: UnsafeMutableRawBufferPointer) throws(TLSError) {
        var rest = buffer[...]
        while !rest.isEmpty {
            let part = rest.prefix(1 << 20)
            ERR_clear_error()
            let bytes = UnsafeMutableRawBufferPointer(rebasing: part)
            guard RAND_bytes(bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), Int32(bytes.count)) == 1
            else { throw .drained(.cryptography, "the random source failed") }
            rest = rest.dropFirst(part.count)
        }
    }

    /// `count` fresh bytes.
    package static func array(count: Int) throws(TLSError) -> [UInt8] {
        precondition(count >= 0, "a number of random bytes cannot be negative")
        var bytes = [UInt8](repeating: 0, count: count)
        var failure: TLSError?
        bytes.withUnsafeMutableBytes { buffer in
            do throws(TLSError) { try fill(buffer) } catch { failure = error }
        }
        if let failure { throw failure }
        return bytes
    }

    /// A fresh number, all 64 bits random.
    package static func uint64() throws(TLSError) -> UInt64 {
        var number: UInt64 = 0
        var failure: TLSError?
        withUnsafeMutableBytes(of: &number) { buffer in
            do throws(TLSError) { try fill(buffer) } catch { failure = error }
        }
        if let failure { throw failure }
        return number
    }
}
