package import ControlPlane
import Files
import Foundation
import Objects

/// The endpoints that the control plane keeps, in the fleet that serves them.
package struct FleetHost: EndpointHost {
  let fleet: EndpointFleet
  let objects: any ObjectAccess
  /// Gets the models' archives, each content once.
  let folder: String

  package init(_ fleet: EndpointFleet, objects: any ObjectAccess, folder: String) {
    self.fleet = fleet
    self.objects = objects
    self.folder = folder
  }

  /// Removes what a killed process was fetching.
  package func removeLeftovers() {
    let names = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
    for name in names where name.hasSuffix(".partial") {
      try? FileManager.default.removeItem(atPath: join(folder, name))
    }
  }

  package func start(_ endpoint: HostedEndpoint) async throws {
    if fleet.summary(of: endpoint.name) != nil { return try await update(endpoint) }
    try await fleet.create(try await plan(of: endpoint))
  }

  package func update(_ endpoint: HostedEndpoint) async throws {
    try await fleet.update(try await plan(of: endpoint))
  }

  package func stop(_ name: String) async {
    // One that never came into service is not there.
    try? await fleet.delete(name)
  }

  private func plan(of endpoint: HostedEndpoint) async throws -> EndpointPlan {
    var plan = EndpointPlan(name: endpoint.name, configurationName: endpoint.config, variants: [])
    for variant in endpoint.variants {
      var made = VariantPlan(
        name: variant.name, model: try await model(of: variant), weight: variant.weight)
      made.instanceCount = variant.instanceCount
      if variant.isShadow { plan.shadowVariants.append(made) } else { plan.variants.append(made) }
    }
    plan.capture = endpoint.dataCapture.flatMap(Self.capture)
    return plan
  }

  private func model(of variant: HostedEndpoint.Variant) async throws -> ModelPlan {
    guard let data = variant.modelData, !data.key.isEmpty, !data.key.hasSuffix("/") else {
      throw EndpointError(.model, "the model \(variant.model) has no ModelDataUrl that names a model.tar.gz")
    }
    let version = try await objects.version(of: data)
    let path = join(join(folder, Self.name(of: "\(data) \(version)")), "model.tar.gz")
    if FileStamp(path: path) == nil {
      try makeFolder(folderName(path))
      let partial = path + ".\(UUID().uuidString).partial"
      try await objects.download(data, to: partial)
      try FileManager.default.moveItem(atPath: partial, toPath: path)
    }
    return ModelPlan(name: variant.model, path: path, version: version)
  }

  /// FNV-1a, 64 bits: a name for a folder.
  private static func name(of text: String) -> String {
    String(
      text.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }, radix: 16)
  }

  private static func capture(_ config: JSON) -> CapturePlan? {
    guard let destination = config["DestinationS3Uri"]?.text else { return nil }
    var plan = CapturePlan(destination: destination)
    plan.isEnabled = config["EnableCapture"]?.isTrue ?? false
    plan.samplingPercentage = config["InitialSamplingPercentage"]?.integer ?? 100
    let modes = (config["CaptureOptions"]?.list ?? []).compactMap { $0["CaptureMode"]?.text }
    plan.capturesInput = modes.contains("Input") || modes.contains("InputAndOutput")
    plan.capturesOutput = modes.contains("Output") || modes.contains("InputAndOutput")
    func types(_ name: String) -> [String] {
      (config["CaptureContentTypeHeader"]?[name]?.list ?? []).compactMap { $0.text?.lowercased() }
    }
    plan.csvContentTypes = types("CsvContentTypes")
    plan.jsonContentTypes = types("JsonContentTypes")
    return plan
  }
}

/// Captured requests, as objects.
struct CaptureWriter: ObjectWriting {
  let objects: any ObjectSource

  func write(_ bytes: [UInt8], to uri: String) async throws {
    guard let place = S3Location(uri), case .object = place else {
      throw EndpointError(.invalid, "\(uri) is no s3://bucket/key that captured requests could be put at")
    }
    try await objects.put(bytes, to: place)
  }
}
