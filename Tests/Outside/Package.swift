// swift-tools-version: 6.2

import PackageDescription

// A package as a user's: it has nothing but the products and the public documentation. Tests/Integration/test_outside.py builds
// it, and runs it against real servers.
let package = Package(
    name: "outside",
    dependencies: [
        .package(name: "carom", path: "../..", traits: ["Probes", "Tracing"]),
        .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.3.0"),
    ],
    targets: [
        .executableTarget(
            name: "FirstRow", dependencies: [.product(name: "CaromPostgresPool", package: "carom")]),
        .executableTarget(
            name: "Redis",
            dependencies: [
                .product(name: "Carom", package: "carom"),
                .product(name: "CaromReactor", package: "carom"),
                .product(name: "CaromTCP", package: "carom"),
            ]),
        .executableTarget(
            name: "Traced",
            dependencies: [
                .product(name: "CaromPostgresPool", package: "carom"),
                .product(name: "InMemoryTracing", package: "swift-distributed-tracing"),
                .product(name: "Tracing", package: "swift-distributed-tracing"),
            ]),
    ]
)
