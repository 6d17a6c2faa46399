// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Several observers as one.
struct PoolObservers: PoolObserver {
    private let observers: [any PoolObserver]

    init(_ observers: [any PoolObserver]) {
        self.observers = observers
    }

    var observesClaims: Bool { observers.contains { $0.observesClaims } }
    var observesWaits: Bool { observers.contains { $0.observesWaits } }
    var samplingInterval: Duration? { observers.compactMap(\.samplingInterval).min() }

    func observe(_ event: PoolEvent) {
        for observer in observers { observer.observe(event) }
    }

    func sample(_ stats: PoolStats) {
        for observer in observers where observer.samplingInterval != nil { observer.sample(stats) }
    }
}
