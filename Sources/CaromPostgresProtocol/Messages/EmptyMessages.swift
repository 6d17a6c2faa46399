// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Messages that are nothing but their type.
extension FrontendTag {
    /// Writes a message of this type without a body: Sync, Flush, Terminate and CopyDone are such.
    package func encodeEmpty(into bytes: inout [UInt8]) {
        bytes.appendEmptyMessage(rawValue)
    }
}

extension BackendTag {
    /// Writes a message of this type without a body: ParseComplete, BindComplete, CloseComplete, NoData,
    /// EmptyQueryResponse, PortalSuspended and CopyDone are such.
    package func encodeEmpty(into bytes: inout [UInt8]) {
        bytes.appendEmptyMessage(rawValue)
    }
}
