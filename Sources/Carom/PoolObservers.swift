// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Several observers as one.
struct PoolObservers: PoolObserver {
    private let observers: [any PoolObserver]

    init(_ observers: [any PoolObserver]) {
        self.observers = observers
    }

    var observesClaims: Bool { observers.contains { $0.observesClaims } }

    func observe(_ event: PoolEvent) {
        for observer in observers { observer.observe(event) }
    }
}
