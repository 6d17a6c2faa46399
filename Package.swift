// swift-tools-version: 6.2

import PackageDescription

/// One list of settings for every Swift target of the package.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

let collections = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let inMemoryLogging = Target.Dependency.product(name: "InMemoryLogging", package: "swift-log")

// What a trait brings. A package that is needed by traits alone is not even fetched where they are off.
let lifecycle = Target.Dependency.product(
    name: "ServiceLifecycle", package: "swift-service-lifecycle",
    condition: .when(traits: ["ServiceLifecycle"]))
let metrics = Target.Dependency.product(
    name: "Metrics", package: "swift-metrics", condition: .when(traits: ["Metrics"]))
let tracing = Target.Dependency.product(
    name: "Tracing", package: "swift-distributed-tracing", condition: .when(traits: ["Tracing"]))
let probes = Target.Dependency.target(name: "CCaromProbes", condition: .when(traits: ["Probes"]))
let pam = Target.Dependency.target(name: "CCaromPAM", condition: .when(traits: ["PAM"]))
let ldap = Target.Dependency.target(name: "CCaromLDAP", condition: .when(traits: ["LDAP"]))
let flyingFox = ["FlyingFox", "FlyingSocks"].map { name in
    Target.Dependency.product(name: name, package: "FlyingFox", condition: .when(traits: ["Statistics"]))
}
let histogram = Target.Dependency.product(
    name: "Histogram", package: "hdrhistogram-swift", condition: .when(traits: ["Statistics"]))
let argumentParser = Target.Dependency.product(
    name: "ArgumentParser", package: "swift-argument-parser", condition: .when(traits: ["Pooler"]))

let package = Package(
    name: "carom",
    // For the ground floor on a Mac: the first with Mutex and task executors. Everything else needs Linux.
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "Carom", targets: ["Carom"]),
        .library(name: "CaromDNS", targets: ["CaromDNS"]),
        .library(name: "CaromTCP", targets: ["CaromTCP"]),
        .library(name: "CaromPostgres", targets: ["CaromPostgres"]),
        .library(name: "CaromPostgresFoundation", targets: ["CaromPostgresFoundation"]),
        .library(name: "CaromPostgresPool", targets: ["CaromPostgresPool"]),
        .library(name: "CaromTesting", targets: ["CaromTesting"]),
        .library(name: "CaromFile", targets: ["CaromFile"]),
        .library(name: "CaromStats", targets: ["CaromStats"]),
        .library(name: "CaromTop", targets: ["CaromTop"]),
        .library(name: "CaromReactor", targets: ["CaromReactor"]),
        .executable(name: "carom", targets: ["CaromCommand"]),
    ],
    traits: [
        .trait(name: "Metrics", description: "An observer that feeds swift-metrics."),
        .trait(
            name: "ServiceLifecycle",
            description: "Pool and PostgresPool conform to ServiceLifecycle's Service."),
        .trait(name: "Statistics", description: "The products CaromStats and CaromTop."),
        .trait(name: "Pooler", description: "The executable carom.", enabledTraits: ["Statistics"]),
        .trait(name: "Tracing", description: "Spans for claims that wait and for statements."),
        .trait(name: "Probes", description: "Static probes (USDT); needs systemtap-sdt-dev."),
        .trait(name: "PAM", description: "The pooler has PAM check passwords; needs libpam0g-dev."),
        .trait(name: "LDAP", description: "The pooler has LDAP check passwords; needs libldap-dev."),
        .default(enabledTraits: ["Metrics", "Pooler", "ServiceLifecycle"]),
    ],
    // The lowest versions that have what is used here: docs/decisions/0006-modules.adoc.
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.3.1"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.1.0"),
        .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.3.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.11.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.7.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.6.3"),
        .package(url: "https://github.com/swhitty/FlyingFox", from: "0.27.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    ],
    targets: [
        // Ground floor: portable Swift without sockets, threads or files.
        .target(name: "CCaromProbes", cSettings: [.define("CAROM_PROBES", .when(traits: ["Probes"]))]),
        .target(
            name: "Carom",
            dependencies: [lifecycle, logging, metrics, probes, tracing],
            swiftSettings: settings),
        .target(
            name: "CaromPostgresProtocol",
            swiftSettings: settings + [.enableExperimentalFeature("Lifetimes")]),
        .target(name: "CaromTesting", dependencies: ["Carom", collections], swiftSettings: settings),

        // Wings: the code that touches the system.
        .target(name: "CCaromLinux"),
        .target(
            name: "CCaromPAM", cSettings: [.define("CAROM_PAM", .when(traits: ["PAM"]))],
            linkerSettings: [.linkedLibrary("pam", .when(traits: ["PAM"]))]),
        .target(
            name: "CCaromLDAP", cSettings: [.define("CAROM_LDAP", .when(traits: ["LDAP"]))],
            linkerSettings: [
                .linkedLibrary("ldap", .when(traits: ["LDAP"])),
                .linkedLibrary("lber", .when(traits: ["LDAP"])),
            ]),
        .systemLibrary(name: "CCaromOpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CCaromAres", pkgConfig: "libcares", providers: [.apt(["libc-ares-dev"])]),
        .target(name: "CaromReactor", dependencies: ["CCaromLinux", collections], swiftSettings: settings),
        .target(name: "CaromTLS", dependencies: ["CCaromOpenSSL"], swiftSettings: settings),
        .target(
            name: "CaromDNS", dependencies: ["Carom", "CaromReactor", "CCaromAres", logging],
            swiftSettings: settings),
        .target(name: "CaromFile", dependencies: ["Carom", "CaromReactor"], swiftSettings: settings),

        // First floor: connectors, statistics and the pooler, where everything meets.
        .target(
            name: "CaromTCP", dependencies: ["Carom", "CaromReactor", "CaromTLS", "CCaromLinux"],
            swiftSettings: settings),
        .target(
            name: "CaromStats",
            dependencies: ["Carom", logging, histogram] + flyingFox,
            swiftSettings: settings),
        .target(
            name: "CaromPostgres",
            dependencies: [
                "Carom", "CaromPostgresProtocol", "CaromReactor", "CaromTCP", "CaromTLS", collections,
                tracing,
            ],
            swiftSettings: settings),
        .target(name: "CaromPostgresFoundation", dependencies: ["CaromPostgres"], swiftSettings: settings),
        .target(
            name: "CaromPostgresPool",
            dependencies: [
                "Carom", "CaromDNS", "CaromPostgres", "CaromReactor", "CaromTLS", lifecycle, logging,
            ],
            swiftSettings: settings),
        // Grammars and settings of the pooler: no sockets, no threads.
        .target(
            name: "CaromConfiguration", dependencies: ["CaromPostgresProtocol", "CaromTLS"],
            swiftSettings: settings),
        .target(
            name: "CaromPooler",
            dependencies: [
                "Carom", "CaromConfiguration", "CaromDNS", "CaromFile", "CaromPostgres",
                "CaromPostgresProtocol",
                "CaromReactor", "CaromStats", "CaromTCP", "CaromTLS", "CCaromLinux", collections, logging,
                ldap, pam, probes,
            ],
            swiftSettings: settings + [.enableExperimentalFeature("Lifetimes")]),

        // The command, and the terminal that `carom top` draws on.
        .target(
            name: "CaromTop",
            dependencies: ["Carom", "CaromReactor", "CaromStats", "CaromTCP", "CaromTLS"],
            swiftSettings: settings),
        .executableTarget(
            name: "CaromCommand",
            dependencies: [
                "Carom", "CaromConfiguration", "CaromStats", "CaromPooler", "CaromReactor", "CaromTop",
                argumentParser,
            ],
            swiftSettings: settings),

        // Examples: each a program of its own, see examples/README.adoc. They get what a package that depends on this one
        // gets, so they can be copied out.
        .executableTarget(
            name: "carom-echo-server", dependencies: ["CaromReactor", "CaromTCP"],
            path: "examples/echo-server", packageAccess: false, swiftSettings: settings),
        .executableTarget(
            name: "carom-echo-workload",
            dependencies: [
                "Carom", "CaromDNS", "CaromReactor", "CaromStats", "CaromTCP", "CaromTop", argumentParser,
            ],
            path: "examples/echo-workload", packageAccess: false, swiftSettings: settings),
        .executableTarget(
            name: "carom-embedded-service",
            dependencies: [
                "Carom", "CaromFile", "CaromPostgres", "CaromReactor", "CaromStats", argumentParser,
                lifecycle,
                logging,
                .product(
                    name: "UnixSignals", package: "swift-service-lifecycle",
                    condition: .when(traits: ["ServiceLifecycle"])),
            ] + flyingFox,
            path: "examples/embedded-service", packageAccess: false, swiftSettings: settings),

        .target(
            name: "CCaromAllocationCounter", path: "Tests/Benchmarks/CCaromAllocationCounter"),
        .executableTarget(
            name: "CaromClaimBenchmark",
            dependencies: ["Carom", "CaromTesting", "CCaromAllocationCounter"],
            path: "Tests/Benchmarks/CaromClaimBenchmark", swiftSettings: settings),
        .executableTarget(
            name: "CaromQueryBenchmark", dependencies: ["CaromPostgresPool"],
            path: "Tests/Benchmarks/CaromQueryBenchmark", swiftSettings: settings),
        // What tests of several modules need: servers, certificates, directories, random numbers.
        .target(
            name: "CaromTestSupport", dependencies: ["Carom", "CaromPostgresProtocol"], path: "Tests/Support",
            swiftSettings: settings),
        .testTarget(
            name: "CaromTests",
            dependencies: [
                "Carom", "CaromTesting", lifecycle, logging,
                inMemoryLogging,
                .product(
                    name: "MetricsTestKit", package: "swift-metrics", condition: .when(traits: ["Metrics"])),
                .product(
                    name: "ServiceLifecycleTestKit", package: "swift-service-lifecycle",
                    condition: .when(traits: ["ServiceLifecycle"])),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "CaromDNSTests", dependencies: ["Carom", "CaromDNS", "CaromTestSupport"],
            swiftSettings: settings),
        .testTarget(
            name: "CaromPostgresProtocolTests",
            dependencies: ["Carom", "CaromPostgresProtocol", "CaromTestSupport"],
            swiftSettings: settings),
        .testTarget(
            name: "CaromTCPTests",
            dependencies: [
                "Carom", "CaromReactor", "CaromTCP", "CaromTestSupport", "CaromTLS", "CCaromLinux",
            ],
            swiftSettings: settings),
        .testTarget(
            name: "CaromFileTests", dependencies: ["Carom", "CaromFile", "CaromTestSupport"],
            swiftSettings: settings),
        .testTarget(
            name: "CaromStatsTests",
            dependencies: ["Carom", "CaromTCP", "CaromTesting", "CaromStats", "CaromReactor", "CaromTop"],
            swiftSettings: settings),
        .testTarget(
            name: "CaromTopTests",
            dependencies: ["Carom", "CaromStats", "CaromTestSupport", "CaromTop"],
            swiftSettings: settings),
        .testTarget(
            name: "CaromTLSTests", dependencies: ["CaromTLS", "CaromTestSupport"], swiftSettings: settings),
        .testTarget(
            name: "CaromReactorTests",
            dependencies: ["Carom", "CaromReactor", "CaromTestSupport", "CCaromLinux"],
            swiftSettings: settings),
        .testTarget(
            name: "CaromPostgresTests",
            dependencies: [
                "Carom", "CaromPostgres", "CaromPostgresFoundation", "CCaromLinux", "CaromPostgresProtocol",
                "CaromReactor", "CaromTCP", "CaromTLS", "CaromTestSupport",
            ],
            swiftSettings: settings),
        .testTarget(
            name: "CaromPostgresPoolTests",
            dependencies: [
                "Carom", "CaromPostgres", "CaromPostgresPool", "CaromTestSupport", "CaromTLS", logging,
                inMemoryLogging,
            ],
            swiftSettings: settings),
        .testTarget(
            name: "CaromConfigurationTests",
            dependencies: [
                "Carom", "CaromConfiguration", "CaromPostgresProtocol", "CaromTLS", "CaromTestSupport",
            ],
            swiftSettings: settings),
        .testTarget(
            name: "CaromPoolerTests",
            dependencies: [
                "Carom", "CaromConfiguration", "CaromPooler", "CaromPostgres", "CaromPostgresProtocol",
                "CaromReactor", "CaromStats", "CaromTCP", "CaromTLS", "CaromTestSupport", "CaromTop", logging,
            ],
            swiftSettings: settings),
    ]
)

// Tests/run makes warnings errors. A build without the variable does not: a newer compiler may warn about more.
if Context.environment["CAROM_STRICT"] != nil {
    for target in package.targets where target.type != .system {
        target.swiftSettings = (target.swiftSettings ?? []) + [.treatAllWarnings(as: .error)]
        target.cSettings = (target.cSettings ?? []) + [.treatAllWarnings(as: .error)]
    }
}

// Tests/sanitize builds the tests that it runs and what they need, which is a small part of all.
if let wanted = Context.environment["CAROM_TESTS"]?.split(separator: ",").map(String.init) {
    package.targets.removeAll { $0.type == .test && !wanted.contains($0.name) }
}
