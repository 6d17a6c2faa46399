// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import CaromReactor

/// What two processes say to one another while one takes over from the other. "Old" is the one that hands over.
///
/// Of `hello`, `welcome` and `refusal` the beginning is the same in every version, so that processes of any two versions understand
/// that they do not understand each other.
enum HandOverMessage: Equatable, Sendable {
    // MARK: New to old
    /// The first word. An old process of another version refuses.
    case hello(version: UInt16)
    /// The new process has all that it needs to serve.
    ///
    /// - Parameters:
    ///   - process: its number.
    ///   - limit: how many milliseconds clients may stay with the old process; nil for ever.
    case begin(process: Int32, limit: UInt64?)
    /// The client can go on here. The socket is not read before it is ``commit(_:)``.
    case accept(UInt64)
    /// The client cannot go on here: it stays with the old process.
    case decline(UInt64, reason: String)
    /// A client that was committed has done something, or is ended: from here on it cannot be taken back.
    case use(UInt64)
    /// The new process listens here and nowhere else.
    case listening([SocketAddress])
    /// The new process was told to stop, and so is the old one.
    case stop

    // MARK: Old to new
    case welcome(version: UInt16, process: Int32)
    /// A listening socket. `ownsFile`: the file of a Unix socket is taken away when it is closed.
    case listener(SocketAddress, ownsFile: Bool)
    /// These were all listening sockets.
    case ready
    /// The old process accepts nobody any more.
    case begun
    /// A client, which is neither read from nor written to any more, and its socket. The number is the old process's own.
    case client(UInt64, ClientState)
    /// The client is the new process's.
    case commit(UInt64)
    /// The client is not handed over after all.
    case withdraw(UInt64)
    /// Clients that were committed are not taken back any more.
    case settled

    // MARK: Either way
    /// This process does not go on with the hand-over, and why.
    case refusal(String)
    /// A cancel whose client was not found here.
    case cancel(UInt64, CancelRequest)
    /// It has arrived, or there is no such client.
    case cancelled(UInt64)

    /// Of the hand-over. Raised with every change of these messages or of ``ClientState``.
    static let version: UInt16 = 1

    /// What every hand-over begins with.
    private static let mark = Array("carom-upgrade".utf8)

    /// A socket comes beside it.
    var carriesDescriptor: Bool {
        switch self {
        case .listener, .client: true
        default: false
        }
    }

    private enum Tag: UInt8 {
        case hello = 1
        case welcome, refusal, listener, ready, begin, begun, client, accept, decline, commit, withdraw,
            cancel,
            cancelled, listening, stop, use, settled
    }
}

extension HandOverMessage {
    /// Tag and values, without a length.
    var bytes: [UInt8] {
        var writer = HandOverWriter()
        func tag(_ tag: Tag) { writer.put(tag.rawValue) }
        switch self {
        case .hello(let version):
            tag(.hello)
            writer.put(Self.mark)
            writer.put(version)
        case .welcome(let version, let process):
            tag(.welcome)
            writer.put(version)
            writer.put(process)
        case .refusal(let reason):
            tag(.refusal)
            writer.put(reason)
        case .begin(let process, let limit):
            tag(.begin)
            writer.put(process)
            writer.put(limit) { $0.put($1) }
        case .accept(let client):
            tag(.accept)
            writer.put(client)
        case .decline(let client, let reason):
            tag(.decline)
            writer.put(client)
            writer.put(reason)
        case .listening(let addresses):
            tag(.listening)
            writer.put(addresses) { $0.put($1) }
        case .stop: tag(.stop)
        case .use(let client):
            tag(.use)
            writer.put(client)
        case .settled: tag(.settled)
        case .listener(let address, let ownsFile):
            tag(.listener)
            writer.put(address)
            writer.put(ownsFile)
        case .ready: tag(.ready)
        case .begun: tag(.begun)
        case .client(let client, let state):
            tag(.client)
            writer.put(client)
            state.encode(into: &writer)
        case .commit(let client):
            tag(.commit)
            writer.put(client)
        case .withdraw(let client):
            tag(.withdraw)
            writer.put(client)
        case .cancel(let number, let request):
            tag(.cancel)
            writer.put(number)
            writer.put(request.processID)
            writer.put(request.key)
        case .cancelled(let number):
            tag(.cancelled)
            writer.put(number)
        }
        return writer.bytes
    }

    /// - Throws: what is wrong with bytes that are no message.
    init(_ bytes: [UInt8]) throws(HandOverError) {
        var reader = HandOverReader(bytes)
        let number = try reader.number(UInt8.self)
        guard let tag = Tag(rawValue: number) else { throw .unknownMessage(number) }
        switch tag {
        case .hello:
            guard try reader.data() == Self.mark else { throw .foreign }
            self = .hello(version: try reader.number())
            return  // Later versions may say more.
        case .welcome:
            self = .welcome(version: try reader.number(), process: try reader.number())
            return
        case .refusal:
            self = .refusal(try reader.text())
            return
        case .begin:
            self = .begin(
                process: try reader.number(),
                limit: try reader.optional { (reader) throws(HandOverError) in try reader.number() })
        case .accept: self = .accept(try reader.number())
        case .decline: self = .decline(try reader.number(), reason: try reader.text())
        case .listening:
            self = .listening(try reader.list { (reader) throws(HandOverError) in try reader.address() })
        case .stop: self = .stop
        case .use: self = .use(try reader.number())
        case .settled: self = .settled
        case .listener: self = .listener(try reader.address(), ownsFile: try reader.flag())
        case .ready: self = .ready
        case .begun: self = .begun
        case .client: self = .client(try reader.number(), try ClientState(from: &reader))
        case .commit: self = .commit(try reader.number())
        case .withdraw: self = .withdraw(try reader.number())
        case .cancel:
            self = .cancel(
                try reader.number(), CancelRequest(processID: try reader.number(), key: try reader.data()))
        case .cancelled: self = .cancelled(try reader.number())
        }
        try reader.finish()
    }

    /// With its length in front, as it goes over the socket.
    var frame: [UInt8] {
        let bytes = bytes
        var writer = HandOverWriter()
        writer.put(bytes)
        return writer.bytes
    }

    /// What kind of message it is, for people.
    var name: String {
        let text = "\(self)"
        return String(text.prefix { $0 != "(" })
    }
}
