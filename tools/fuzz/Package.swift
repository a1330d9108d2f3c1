// swift-tools-version: 6.2
import PackageDescription

// Built by `tools/fuzz/run` only, which turns the sanitizers on for this package and for what it depends on.
let package = Package(
  name: "fuzz",
  dependencies: [.package(name: "imrec", path: "../..")],
  targets: [
    .target(name: "CFuzzer"),
    .executableTarget(
      name: "fuzz", dependencies: ["CFuzzer", .product(name: "FuzzTargets", package: "imrec")]),
  ]
)
