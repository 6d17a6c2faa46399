// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import FlyingFox
import FoundationEssentials

/// One client of the stream: sends it messages, answers its pings and its goodbye.
struct StatsFeed: WSHandler {
    let pools: @Sendable () -> [ObservedPool]
    /// Seconds between messages; 0 for changes only.
    let interval: UInt8

    /// Messages kept for a client that does not read: the oldest give way.
    private static let backlog = 4

    func makeFrames(for client: AsyncThrowingStream<WSFrame, any Error>) async throws -> AsyncStream<WSFrame>
    {
        AsyncStream(bufferingPolicy: .bufferingNewest(Self.backlog)) { continuation in
            // The server's interface leaves no task to be a child of; this one ends with the stream.
            let task = Task {
                await serve(client, continuation)
                continuation.finish()
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }

    private func serve(
        _ client: AsyncThrowingStream<WSFrame, any Error>, _ frames: AsyncStream<WSFrame>.Continuation
    ) async {
        let (news, announce) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        announce.yield()
        await withTaskGroup { group in
            group.addTask { await listen(to: client, frames) }
            group.addTask { await send(news, announce, frames) }
            if interval > 0 {
                group.addTask {
                    while (try? await Task.sleep(for: .seconds(Int(interval)))) != nil { announce.yield() }
                }
            }
            // Whichever ends first ends them all: the client said goodbye, or nobody reads any more.
            await group.next()
            group.cancelAll()
        }
    }

    private func listen(
        to client: AsyncThrowingStream<WSFrame, any Error>, _ frames: AsyncStream<WSFrame>.Continuation
    ) async {
        do {
            for try await frame in client {
                switch frame.opcode {
                case .ping where frame.payload.count <= 125:
                    frames.yield(WSFrame(fin: true, opcode: .pong, mask: nil, payload: frame.payload))
                case .ping, .close:
                    frames.yield(.close(code: frame.opcode == .close ? .normalClosure : .protocolError))
                    // Nothing may follow a goodbye, not even a message that is just being made.
                    frames.finish()
                    return
                // There is nothing to be said to this stream.
                default: continue
                }
            }
        } catch {
            // The connection is gone; so is the reason to go on.
        }
    }

    private func send(
        _ news: AsyncStream<Void>, _ announce: AsyncStream<Void>.Continuation,
        _ frames: AsyncStream<WSFrame>.Continuation
    ) async {
        var subscriptions: [ObjectIdentifier: Subscription] = [:]
        defer { for subscription in subscriptions.values { subscription.end() } }
        var claims: UInt64?
        for await _ in news {
            let pools = pools()
            follow(pools, announce, &subscriptions)
            let snapshots = pools.map(\.snapshot)
            let total = StatsFrame.claims(of: snapshots)
            let frame = StatsFrame(snapshots, since: claims ?? total)
            claims = total
            frames.yield(WSFrame(fin: true, opcode: .binary, mask: nil, payload: frame.json))
        }
    }

    /// Hears of changes in the pools that are there now, and of no others.
    private func follow(
        _ pools: [ObservedPool], _ announce: AsyncStream<Void>.Continuation,
        _ subscriptions: inout [ObjectIdentifier: Subscription]
    ) {
        var gone = subscriptions
        for recorder in pools.compactMap(\.recorder)
        where gone.removeValue(forKey: ObjectIdentifier(recorder)) == nil {
            subscriptions[ObjectIdentifier(recorder)] = Subscription(
                recorder: recorder, listener: recorder.changes.add(announce))
        }
        for (id, subscription) in gone {
            subscription.end()
            subscriptions[id] = nil
        }
    }
}

/// A place among the listeners of a recorder, which is kept alive so that its identity stays its own.
private struct Subscription {
    let recorder: PoolRecorder
    let listener: UInt64

    func end() { recorder.changes.remove(listener) }
}
