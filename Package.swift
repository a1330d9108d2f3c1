// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
]
let tests: [SwiftSetting] = [.treatAllWarnings(as: .error)]
// The kernels choose their instruction set per function, at run time; the package sets no flag for it.
let optimised: [CSetting] = [
  .unsafeFlags(["-O3", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off"])
]
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
  name: "imrec",
  products: [
    .executable(name: "imrec", targets: ["imrec"]),
    .executable(name: "im2rec", targets: ["im2rec"]),
    // For tools/fuzz, a package of its own that is built with sanitizers.
    .library(name: "FuzzTargets", targets: ["FuzzTargets"]),
  ],
  traits: [
    .trait(name: "MPI", description: "Training on several machines, by Open MPI (on Debian libopenmpi-dev).")
  ],
  // Exact versions: the same sources make the same programs on every machine.
  dependencies: [
    // The command line of imrec: parsing, help, completions.
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    // The templates of HTML pages.
    .package(url: "https://github.com/hummingbird-project/swift-mustache", exact: "2.1.1"),
    // The server of HTTP.
    .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1"),
    // Hummingbird's own foundations, where more is asked of a connection than it offers: the types of heads, the log,
    // channels, their handlers of HTTP, services that end in order.
    .package(url: "https://github.com/apple/swift-http-types.git", exact: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log.git", exact: "1.16.2"),
    .package(url: "https://github.com/apple/swift-nio.git", exact: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-extras.git", exact: "1.35.2"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", exact: "2.13.0"),
    // What requests are counted in, for /metrics.
    .package(url: "https://github.com/apple/swift-metrics.git", exact: "2.13.0"),
    // SQLite, which keeps the jobs of imrec serve.
    .package(url: "https://github.com/groue/GRDB.swift.git", exact: "7.10.0"),
  ],
  targets: [
    .systemLibrary(name: "CJPEG", pkgConfig: "libjpeg", providers: [.apt(["libjpeg-dev"])]),
    .systemLibrary(name: "CPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),
    .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
    .systemLibrary(name: "CArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"])]),
    .systemLibrary(name: "COpenMPI", pkgConfig: "ompi-c", providers: [.apt(["libopenmpi-dev"])]),
    .systemLibrary(name: "CLinux"),
    .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    // zlib comes with libpng.
    .target(
      name: "CImaging", dependencies: ["CJPEG", "CPNG"], cSettings: optimised,
      linkerSettings: [.linkedLibrary("z")]),
    .target(name: "CNetworks", cSettings: optimised),

    // How bytes stand in text, and what sums them up.
    .target(name: "Encodings", dependencies: ["CCrypto"], swiftSettings: strict),
    .target(name: "Files", dependencies: ["CLinux"], swiftSettings: strict),
    .target(name: "Records", dependencies: ["Files"], swiftSettings: strict),
    .target(name: "Imaging", dependencies: ["CImaging", "Files"], swiftSettings: strict),
    .target(
      name: "Predictions", dependencies: ["Encodings", "Files", "Records"], exclude: ["README.md"],
      swiftSettings: strict),
    .target(
      name: "Scoring", dependencies: ["Encodings", "Files", "Imaging", "Predictions"], exclude: ["README.md"],
      swiftSettings: strict),
    .target(
      name: "Reporting",
      dependencies: [
        "Encodings", "Files", "Hyperparameters", "Records", "Imaging", "Scoring",
        .product(name: "Mustache", package: "swift-mustache"),
      ],
      exclude: ["README.md"],
      // Part of the program: an installed binary must find them wherever it stands.
      resources: [.embedInCode("HTML/Assets")], swiftSettings: strict),
    .target(
      name: "Models", dependencies: ["Encodings", "Files", "CArchive", "CZlib"], swiftSettings: strict),
    .target(
      name: "Networks", dependencies: ["CLinux", "CNetworks", "COpenBLAS", "Models"],
      exclude: ["README.md"], swiftSettings: strict),
    // Empty without the trait.
    .target(
      name: "MessagePassing",
      dependencies: ["Networks", .target(name: "COpenMPI", condition: .when(traits: ["MPI"]))],
      swiftSettings: strict),
    .target(
      name: "Inference",
      dependencies: ["Encodings", "Files", "Records", "Imaging", "Models", "Networks"],
      swiftSettings: strict),
    // Folders and lists to records, and back. No network: im2rec has no use for one, nor for the threads that OpenBLAS
    // starts with the program.
    .target(
      name: "Packing", dependencies: ["Encodings", "Files", "Records", "Imaging"], swiftSettings: strict),
    // What may be asked of a training: the table of its hyperparameters, its channels, and the record of an epoch.
    .target(
      name: "Hyperparameters", dependencies: ["Encodings", "Files", "Imaging", "Records"],
      swiftSettings: strict),
    // What a training learns from and how: hyperparameters, images, batches, schedules.
    .target(
      name: "Training",
      dependencies: [
        "Encodings", "Files", "Hyperparameters", "Imaging", "Models", "Networks", "Records", "Reporting",
      ],
      swiftSettings: strict),
    // Parameters and scores: it knows nothing of a training.
    .target(
      name: "Search", dependencies: ["COpenBLAS", "Encodings"], exclude: ["README.md"], swiftSettings: strict),
    .target(name: "CProcesses", cSettings: optimised),
    // Child processes: started, watched, limited, ended.
    .target(name: "Jobs", dependencies: ["Files", "CProcesses"], swiftSettings: strict),
    // A search over trainings, each a job.
    .target(
      name: "Tuning",
      dependencies: ["Encodings", "Files", "Hyperparameters", "Jobs", "Models", "Reporting", "Search"],
      exclude: ["README.md"], swiftSettings: strict),
    // One server of HTTP: guards, limits, bodies, media types, its log and its metrics.
    .target(
      name: "HTTP",
      dependencies: [
        "Encodings", "Files",
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HummingbirdCore", package: "hummingbird"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "Metrics", package: "swift-metrics"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ],
      swiftSettings: strict),
    // Models that answer requests: one by SageMaker's container contract, many as endpoints with the runtime's API.
    .target(
      name: "Endpoints",
      dependencies: [
        "Encodings", "Files", "HTTP", "Imaging", "Inference", "Networks",
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "Metrics", package: "swift-metrics"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ],
      swiftSettings: strict),
    // S3: a store in a folder, its protocol, signatures made and checked, and a client of a real one.
    .target(
      name: "S3",
      dependencies: [
        "CCurl", "CLinux", "Encodings", "Files", "HTTP",
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HummingbirdCore", package: "hummingbird"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
      ],
      exclude: ["README.md", "Signatures/README.md"], swiftSettings: strict),
    // SageMaker's operations: requests checked, kept, turned into jobs.
    .target(
      name: "SageMaker",
      dependencies: [
        "Encodings", "Endpoints", "Files", "HTTP", "Hyperparameters", "Inference", "Jobs", "Models",
        "S3", "Tuning",
        .product(name: "GRDB", package: "GRDB.swift"),
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
      ],
      exclude: ["README.md"],
      // Part of the program: an installed binary must find it wherever it stands.
      resources: [.embedInCode("Shapes.json")], swiftSettings: strict),
    // The pages for people, and the server that puts all services on one port.
    .target(
      name: "Dashboard",
      dependencies: [
        "Encodings", "Endpoints", "Files", "HTTP", "Hyperparameters", "Imaging", "Inference", "Jobs",
        "Predictions", "Reporting", "S3", "SageMaker", "Scoring", "Networks",
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "Mustache", package: "swift-mustache"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ],
      exclude: ["README.md"], swiftSettings: strict),
    .target(name: "Terminal", dependencies: ["CLinux"], swiftSettings: strict),
    .target(name: "Sampling", dependencies: ["Files", "Imaging"], swiftSettings: strict),
    .executableTarget(
      name: "imrec",
      dependencies: [
        "Dashboard", "Encodings", "Endpoints", "Files", "HTTP", "Hyperparameters", "Imaging", "Inference",
        "Models", "Networks",
        "Packing",
        "Predictions", "Records", "Reporting", "S3", "SageMaker", "Sampling", "Scoring", "Search",
        "Terminal", "Training", "Tuning",
        .target(name: "MessagePassing", condition: .when(traits: ["MPI"])), argumentParser,
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "im2rec", dependencies: ["Encodings", "Files", "Records", "Imaging", "Packing", "Terminal"],
      swiftSettings: strict),

    // What tools/oracle compares with MXNet.
    .executableTarget(
      name: "training-steps", dependencies: ["Models", "Networks", "TrainingCases"],
      path: "tools/oracle/models/training-steps",
      swiftSettings: strict),
    // The search of imrec tune on functions, for tools/bench/search.
    .executableTarget(
      name: "search-regret", dependencies: ["Search"], path: "tools/bench/search-regret",
      swiftSettings: strict),
    // A server of S3 alone, for tools/oracle/services/s3.py.
    .executableTarget(
      name: "serve-objects",
      dependencies: [
        "S3", .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "Logging", package: "swift-log"),
      ],
      path: "tools/serve-objects", swiftSettings: tests),
    // A picture of what augmentation does, and its half of the comparison with MXNet.
    .executableTarget(
      name: "augmentations", dependencies: ["Files", "Imaging"], path: "tools/augmentations",
      swiftSettings: strict),

    // Jobs that never were: a dashboard to look at.
    .executableTarget(
      name: "sample-server",
      dependencies: [
        "Dashboard", "DashboardSamples", "Endpoints", "Files", "HTTP", "Inference", "Models", "Networks",
        .product(name: "Logging", package: "swift-log"),
      ],
      path: "tools/pages/sample-server", swiftSettings: tests),
    .target(
      name: "DashboardSamples", dependencies: ["Hyperparameters", "SageMaker", "S3", "Dashboard"],
      path: "Tests/DashboardSamples",
      swiftSettings: tests),

    .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: tests),
    .target(
      name: "InferenceTestSupport", dependencies: ["Imaging", "Inference", "Networks", "TestSupport"],
      path: "Tests/InferenceTestSupport", swiftSettings: tests),
    .target(
      name: "ServiceTestSupport",
      dependencies: [
        "Endpoints", "HTTP", "Inference", "InferenceTestSupport", "S3", "Networks", "TestSupport",
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ],
      path: "Tests/ServiceTestSupport", swiftSettings: tests),
    .target(
      name: "RankTestSupport", dependencies: ["Networks"], path: "Tests/RankTestSupport",
      swiftSettings: tests),
    // The folders that tools/oracle writes, and goldens are.
    .target(
      name: "TrainingCases", dependencies: ["Models", "Networks"], path: "Tests/TrainingCases",
      swiftSettings: strict),
    // What must hold for any bytes from outside: replayed by FuzzTests, run for long by tools/fuzz.
    .target(
      name: "FuzzTargets",
      dependencies: [
        "Encodings", "Files", "HTTP", "Hyperparameters", "Imaging", "Inference", "Jobs",
        "Models", "Packing",
        "Predictions", "Records", "S3", "SageMaker", "Training", "Tuning",
        .product(name: "HTTPTypes", package: "swift-http-types"),
      ],
      path: "Tests/FuzzTargets", swiftSettings: tests),
    .testTarget(
      name: "FuzzTests", dependencies: ["FuzzTargets", "TestSupport"], exclude: ["Corpus"],
      swiftSettings: tests),
    .testTarget(name: "EncodingsTests", dependencies: ["Encodings", "TestSupport"], swiftSettings: tests),
    .testTarget(name: "FilesTests", dependencies: ["Files", "TestSupport"], swiftSettings: tests),
    .testTarget(
      name: "RecordsTests", dependencies: ["Files", "Records", "TestSupport"], swiftSettings: tests),
    .testTarget(
      name: "ImagingTests", dependencies: ["Imaging", "CImaging", "TestSupport"],
      exclude: ["Goldens"], swiftSettings: tests),
    .testTarget(
      name: "ModelsTests", dependencies: ["Models", "Files", "TestSupport"], exclude: ["Goldens"],
      swiftSettings: tests),
    .testTarget(
      name: "NetworksTests",
      dependencies: ["Networks", "Models", "CNetworks", "RankTestSupport", "TestSupport", "TrainingCases"],
      exclude: ["Goldens"], swiftSettings: tests),
    .testTarget(
      name: "InferenceTests",
      dependencies: [
        "Inference", "Encodings", "Files", "Imaging", "Models", "Networks", "Packing", "Records",
        "InferenceTestSupport", "TestSupport",
      ],
      swiftSettings: tests),
    .testTarget(
      name: "TrainingTests",
      dependencies: [
        "Training", "Files", "Hyperparameters", "Imaging", "Models", "Networks", "Records",
        "RankTestSupport", "TestSupport",
      ],
      swiftSettings: tests),
    .testTarget(
      name: "HyperparametersTests", dependencies: ["Hyperparameters", "Imaging", "TestSupport"],
      swiftSettings: tests),
    .testTarget(
      name: "EndpointsTests",
      dependencies: [
        "Endpoints", "ServiceTestSupport", "HTTP", "Inference", "InferenceTestSupport", "TestSupport",
      ],
      swiftSettings: tests),
    .testTarget(
      name: "PredictionsTests", dependencies: ["Encodings", "Predictions", "Records", "TestSupport"],
      swiftSettings: tests),
    .testTarget(
      name: "PackingTests",
      dependencies: ["Packing", "Files", "Records", "Imaging", "TestSupport"],
      swiftSettings: tests),
    .testTarget(
      name: "ScoringTests", dependencies: ["Scoring", "Files", "TestSupport"], exclude: ["Goldens"],
      swiftSettings: tests),
    .testTarget(
      name: "ReportingTests",
      dependencies: [
        "Reporting", "Encodings", "Files", "Hyperparameters", "Records", "Imaging", "Scoring", "TestSupport",
      ],
      swiftSettings: tests),
    .testTarget(
      name: "SamplingTests", dependencies: ["Sampling", "Files", "Imaging", "TestSupport"],
      swiftSettings: tests),
    .testTarget(
      name: "SearchTests", dependencies: ["Search", "TestSupport"], exclude: ["Goldens"],
      swiftSettings: tests),
    .testTarget(name: "JobsTests", dependencies: ["Jobs", "Files", "TestSupport"], swiftSettings: tests),
    .testTarget(
      name: "TuningTests",
      dependencies: ["Tuning", "Encodings", "Files", "Hyperparameters", "Jobs", "Search", "TestSupport"],
      swiftSettings: tests),
    .testTarget(
      name: "S3Tests",
      dependencies: [
        "Encodings", "Files", "S3", "ServiceTestSupport", "TestSupport",
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Logging", package: "swift-log"),
      ],
      exclude: ["Goldens"], swiftSettings: tests),
    .testTarget(
      name: "SageMakerTests",
      dependencies: [
        "Encodings", "Files", "Inference", "Models", "S3", "SageMaker", "TestSupport",
        .product(name: "GRDB", package: "GRDB.swift"),
      ],
      swiftSettings: tests),
    .testTarget(
      name: "DashboardTests",
      dependencies: [
        "Dashboard", "DashboardSamples", "Encodings", "Endpoints", "ServiceTestSupport", "HTTP",
        "InferenceTestSupport",
        "S3", "SageMaker", "TestSupport",
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "Metrics", package: "swift-metrics"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ],
      swiftSettings: tests),
    .testTarget(
      name: "CommandTests",
      dependencies: [
        "Records", "imrec", "im2rec", "Files", "Hyperparameters", "Imaging", "Models", "Terminal",
        "TestSupport",
      ],
      exclude: ["Goldens"], swiftSettings: tests),
  ]
)
