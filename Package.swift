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
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
    // Hummingbird's own foundations, where more is asked of a connection than it offers.
    .package(url: "https://github.com/apple/swift-http-types.git", from: "1.5.0"),
    .package(url: "https://github.com/apple/swift-log.git", from: "1.16.0"),
    .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.0"),
    .package(url: "https://github.com/apple/swift-nio-extras.git", from: "1.30.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.9.0"),
    .package(url: "https://github.com/apple/swift-metrics.git", from: "2.9.0"),
    .package(url: "https://github.com/groue/GRDB.swift.git", from: "7.10.0"),
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
      name: "CImaging", dependencies: ["CJPEG", "CPNG", "CKernels"], cSettings: optimised,
      linkerSettings: [.linkedLibrary("z")]),
    .target(name: "CKernels", cSettings: optimised),

    // How bytes stand in text, and what sums them up.
    .target(name: "Encodings", dependencies: ["CCrypto"], swiftSettings: strict),
    .target(name: "Files", dependencies: ["CLinux"], swiftSettings: strict),
    .target(name: "Records", dependencies: ["Files"], swiftSettings: strict),
    .target(name: "Imaging", dependencies: ["CImaging", "CKernels", "Files"], swiftSettings: strict),
    .target(
      name: "Predictions", dependencies: ["Encodings", "Files", "Records"], exclude: ["README.md"],
      swiftSettings: strict),
    .target(name: "Scoring", dependencies: ["Files"], exclude: ["README.md"], swiftSettings: strict),
    .target(
      name: "Reporting",
      dependencies: [
        "Encodings", "Files", "Records", "Imaging", "Scoring",
        .product(name: "Mustache", package: "swift-mustache"),
      ],
      exclude: ["README.md"],
      // Part of the program: an installed binary must find them wherever it stands.
      resources: [.embedInCode("HTML/Assets")], swiftSettings: strict),
    .target(name: "Models", dependencies: ["Files", "CArchive"], swiftSettings: strict),
    .target(name: "Tensors", dependencies: ["CLinux", "COpenBLAS"], swiftSettings: strict),
    .target(
      name: "Networks", dependencies: ["Models", "Tensors", "CKernels"], exclude: ["README.md"],
      swiftSettings: strict),
    // Empty without the trait.
    .target(
      name: "MessagePassing",
      dependencies: ["Networks", "Tensors", .target(name: "COpenMPI", condition: .when(traits: ["MPI"]))],
      swiftSettings: strict),
    .target(
      name: "Pipelines", dependencies: ["Files", "Records", "Imaging", "Predictions", "Scoring"],
      swiftSettings: strict),
    // Apart from Pipelines: im2rec has no use for a network, nor for the threads that OpenBLAS starts with the program.
    .target(
      name: "Inference",
      dependencies: ["Files", "Records", "Imaging", "Models", "Networks", "Pipelines", "Tensors"],
      swiftSettings: strict),
    // What a training learns from and how: hyperparameters, images, batches, schedules.
    .target(
      name: "Training",
      dependencies: [
        "Files", "Records", "Imaging", "Models", "Networks", "Pipelines", "Reporting", "Tensors",
      ],
      swiftSettings: strict),
    .target(
      name: "Hosting",
      dependencies: [
        "Files", "Imaging", "Models", "Inference", .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HummingbirdCore", package: "hummingbird"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ],
      swiftSettings: strict),
    // Parameters and scores: it knows nothing of a training.
    .target(name: "Search", dependencies: ["COpenBLAS"], exclude: ["README.md"], swiftSettings: strict),
    .target(name: "CProcesses", cSettings: optimised),
    // Child processes: started, watched, limited, ended.
    .target(name: "Jobs", dependencies: ["Files", "CProcesses"], swiftSettings: strict),
    // A search over trainings, each a job.
    .target(
      name: "Tuning", dependencies: ["Files", "Jobs", "Models", "Reporting", "Search", "Training"],
      exclude: ["README.md"], swiftSettings: strict),
    // Amazon's Signature Version 4, made and checked.
    .target(
      name: "Signatures",
      dependencies: [
        "Encodings", "Files", .product(name: "HTTPTypes", package: "swift-http-types"),
      ],
      exclude: ["README.md"], swiftSettings: strict),
    // S3 on a folder, and a client of a real one.
    .target(
      name: "Objects",
      dependencies: [
        "CCurl", "CLinux", "Encodings", "Files", "Signatures",
        .product(name: "HTTPTypes", package: "swift-http-types"),
      ],
      exclude: ["README.md"], swiftSettings: strict),
    // SageMaker's operations: requests checked, kept, turned into jobs.
    .target(
      name: "ControlPlane",
      dependencies: [
        "CZlib", "Files", "Jobs", "Models", "Objects", "Records", "Training", "Tuning",
        .product(name: "GRDB", package: "GRDB.swift"),
        .product(name: "Logging", package: "swift-log"),
      ],
      exclude: ["README.md"],
      // Part of the program: an installed binary must find it wherever it stands.
      resources: [.embedInCode("Shapes.json")], swiftSettings: strict),
    // The local SageMaker: one port for all of it.
    .target(
      name: "Serving",
      dependencies: [
        "ControlPlane", "Encodings", "Files", "Hosting", "Imaging", "Inference", "Jobs", "Objects",
        "Pipelines", "Predictions", "Records", "Reporting", "Scoring", "Signatures", "Tensors",
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HummingbirdCore", package: "hummingbird"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "Metrics", package: "swift-metrics"),
        .product(name: "Mustache", package: "swift-mustache"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ],
      exclude: ["README.md"], swiftSettings: strict),
    .target(name: "Terminal", dependencies: ["CLinux"], swiftSettings: strict),
    .target(name: "Sampling", dependencies: ["Files", "Imaging"], swiftSettings: strict),
    .executableTarget(
      name: "imrec",
      dependencies: [
        "ControlPlane", "Files", "Records", "Hosting", "Imaging", "Inference", "Models", "Networks",
        "Pipelines",
        "Predictions",
        "Objects", "Reporting", "Sampling", "Scoring", "Search", "Serving", "Signatures", "Tensors",
        "Terminal",
        "Training", "Tuning",
        .target(name: "MessagePassing", condition: .when(traits: ["MPI"])), argumentParser,
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "im2rec", dependencies: ["Files", "Records", "Imaging", "Pipelines", "Terminal"],
      swiftSettings: strict),

    // What tools/oracle compares with MXNet.
    .executableTarget(
      name: "training-steps", dependencies: ["Models", "Networks", "Tensors", "TrainingCases"],
      path: "tools/oracle/training-steps",
      swiftSettings: strict),
    // What tools/bench/search measures.
    .executableTarget(
      name: "search-regret", dependencies: ["Search"], path: "tools/bench/search-regret",
      swiftSettings: strict),
    // A server of S3 alone, for tools/oracle/s3.py and tools/bench/objects.
    .executableTarget(
      name: "serve-objects",
      dependencies: [
        "Objects", "Serving", "Signatures", .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "Logging", package: "swift-log"),
      ],
      path: "tools/serve-objects", swiftSettings: tests),
    // A picture of what augmentation does, and its half of the comparison with MXNet.
    .executableTarget(
      name: "augmentations", dependencies: ["Files", "Imaging"], path: "tools/augmentations",
      swiftSettings: strict),

    // Jobs that never were: a dashboard to look at and to measure beside.
    .executableTarget(
      name: "sample-server",
      dependencies: [
        "DashboardSamples", "Files", "Hosting", "Inference", "Models", "Networks", "Serving", "Tensors",
        .product(name: "Logging", package: "swift-log"),
      ],
      path: "tools/pages/sample-server", swiftSettings: tests),
    .target(
      name: "DashboardSamples", dependencies: ["Serving"], path: "Tests/DashboardSamples",
      swiftSettings: tests),

    .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: tests),
    .target(
      name: "InferenceTestSupport", dependencies: ["Imaging", "Inference", "Tensors", "TestSupport"],
      path: "Tests/InferenceTestSupport", swiftSettings: tests),
    .target(
      name: "RankTestSupport", dependencies: ["Networks", "Tensors"], path: "Tests/RankTestSupport",
      swiftSettings: tests),
    // The folders that tools/oracle writes, and goldens are.
    .target(
      name: "TrainingCases", dependencies: ["Models", "Networks"], path: "Tests/TrainingCases",
      swiftSettings: strict),
    // What must hold for any bytes from outside: replayed by FuzzTests, run for long by tools/fuzz.
    .target(
      name: "FuzzTargets",
      dependencies: [
        "ControlPlane", "Encodings", "Files", "Imaging", "Inference", "Models", "Objects", "Pipelines",
        "Predictions", "Records", "Serving", "Signatures", "Training", "Tuning",
        .product(name: "HTTPTypes", package: "swift-http-types"),
      ],
      path: "Tests/FuzzTargets", swiftSettings: tests),
    .testTarget(
      name: "FuzzTests", dependencies: ["FuzzTargets", "TestSupport"], exclude: ["Corpus"],
      swiftSettings: tests),
    .testTarget(name: "EncodingsTests", dependencies: ["Encodings"], swiftSettings: tests),
    .testTarget(name: "FilesTests", dependencies: ["Files", "TestSupport"], swiftSettings: tests),
    .testTarget(name: "RecordsTests", dependencies: ["Records", "TestSupport"], swiftSettings: tests),
    .testTarget(
      name: "ImagingTests", dependencies: ["Imaging", "CKernels", "TestSupport"],
      exclude: ["Goldens"], swiftSettings: tests),
    .testTarget(
      name: "ModelsTests", dependencies: ["Models", "Files", "TestSupport"], exclude: ["Goldens"],
      swiftSettings: tests),
    .testTarget(name: "TensorsTests", dependencies: ["Tensors", "TestSupport"], swiftSettings: tests),
    .testTarget(
      name: "NetworksTests",
      dependencies: [
        "Networks", "Models", "Tensors", "CKernels", "RankTestSupport", "TestSupport", "TrainingCases",
      ],
      exclude: ["Goldens"], swiftSettings: tests),
    .testTarget(
      name: "InferenceTests",
      dependencies: [
        "Inference", "Files", "Imaging", "Models", "Networks", "Pipelines", "Records", "Tensors",
        "InferenceTestSupport", "TestSupport",
      ],
      swiftSettings: tests),
    .testTarget(
      name: "TrainingTests",
      dependencies: [
        "Training", "Files", "Imaging", "Models", "Networks", "Pipelines", "Records", "Reporting", "Tensors",
        "RankTestSupport", "TestSupport",
      ],
      swiftSettings: tests),
    .testTarget(
      name: "HostingTests", dependencies: ["Hosting", "Inference", "InferenceTestSupport", "TestSupport"],
      swiftSettings: tests),
    .testTarget(
      name: "PredictionsTests", dependencies: ["Predictions", "Records", "TestSupport"], swiftSettings: tests),
    .testTarget(
      name: "PipelinesTests",
      dependencies: ["Pipelines", "Files", "Records", "Imaging", "Scoring", "TestSupport"],
      swiftSettings: tests),
    .testTarget(
      name: "ScoringTests", dependencies: ["Scoring", "Files", "TestSupport"], exclude: ["Goldens"],
      swiftSettings: tests),
    .testTarget(
      name: "ReportingTests",
      dependencies: ["Reporting", "Encodings", "Files", "Records", "Imaging", "Scoring", "TestSupport"],
      swiftSettings: tests),
    .testTarget(
      name: "SamplingTests", dependencies: ["Sampling", "Files", "Imaging", "TestSupport"],
      swiftSettings: tests),
    .testTarget(
      name: "SearchTests", dependencies: ["Search", "TestSupport"], exclude: ["Goldens"],
      swiftSettings: tests),
    .testTarget(name: "JobsTests", dependencies: ["Jobs", "Files", "TestSupport"], swiftSettings: tests),
    .testTarget(
      name: "TuningTests", dependencies: ["Tuning", "Files", "Jobs", "Search", "TestSupport", "Training"],
      swiftSettings: tests),
    .testTarget(
      name: "SignaturesTests",
      dependencies: [
        "Encodings", "Signatures", "TestSupport", .product(name: "HTTPTypes", package: "swift-http-types"),
      ],
      exclude: ["Goldens"], swiftSettings: tests),
    .testTarget(
      name: "ObjectsTests",
      dependencies: [
        "Encodings", "Objects", "Files", "Signatures", "TestSupport",
      ],
      swiftSettings: tests),
    .testTarget(
      name: "ControlPlaneTests",
      dependencies: [
        "ControlPlane", "Files", "Jobs", "Objects", "TestSupport",
        .product(name: "GRDB", package: "GRDB.swift"),
      ],
      swiftSettings: tests),
    .testTarget(
      name: "ServingTests",
      dependencies: [
        "Serving", "ControlPlane", "DashboardSamples", "Encodings", "Files", "Hosting", "Inference",
        "InferenceTestSupport",
        "Objects", "Signatures", "Tensors", "TestSupport",
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "Metrics", package: "swift-metrics"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ],
      swiftSettings: tests),
    .testTarget(
      name: "CommandTests", dependencies: ["imrec", "im2rec", "Files", "Imaging", "Models", "TestSupport"],
      exclude: ["Goldens"], swiftSettings: tests),
  ]
)
