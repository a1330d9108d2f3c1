// swift-tools-version: 6.2
import PackageDescription

// Built by `tools/fuzz/run` only, which turns the sanitizers on for this package and for what it depends on.
let package = Package(
  name: "fuzz",
  dependencies: [.package(name: "imrec", path: "../..")],
  targets: [
    .target(name: "CFuzzer"),
    .target(name: "Fuzzing", dependencies: ["CFuzzer"]),
    .target(name: "Pictures", dependencies: ["Fuzzing", .product(name: "Imaging", package: "imrec")]),
    .executableTarget(name: "rec", dependencies: ["Fuzzing", .product(name: "Records", package: "imrec")]),
    .executableTarget(name: "lst", dependencies: ["Fuzzing", .product(name: "Records", package: "imrec")]),
    .executableTarget(
      name: "json", dependencies: ["Fuzzing", .product(name: "Predictions", package: "imrec")]),
    .executableTarget(
      name: "jpeg",
      dependencies: ["Fuzzing", "Pictures", .product(name: "Imaging", package: "imrec")]),
    .executableTarget(
      name: "png",
      dependencies: ["Fuzzing", "Pictures", .product(name: "Imaging", package: "imrec")]),
    .executableTarget(
      name: "onnx", dependencies: ["Fuzzing", .product(name: "Models", package: "imrec")]),
    .executableTarget(
      name: "params", dependencies: ["Fuzzing", .product(name: "Models", package: "imrec")]),
    .executableTarget(
      name: "safetensors", dependencies: ["Fuzzing", .product(name: "Models", package: "imrec")]),
    .executableTarget(
      name: "symbol", dependencies: ["Fuzzing", .product(name: "Models", package: "imrec")]),
  ]
)
