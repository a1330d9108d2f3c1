import Encodings
package import Endpoints
package import S3

/// The endpoints that the control plane keeps, in the fleet that serves them.
package struct FleetHost: EndpointHost {
  let fleet: EndpointFleet
  private let copies: ModelCopies

  /// - Parameter folder: gets the models' archives; it holds nothing else.
  package init(_ fleet: EndpointFleet, objects: any ObjectSource, folder: String) {
    self.fleet = fleet
    copies = ModelCopies(objects: objects, folder: folder)
  }

  package func start(_ endpoint: HostedEndpoint) async throws {
    if fleet.summary(of: endpoint.name) != nil { return try await update(endpoint) }
    let outcome = await outcome { try await fleet.create(try await plan(of: endpoint, isBegin: true)) }
    switch outcome {
    case .success: await copies.accept(endpoint.name)
    // The service ends; the endpoint comes back with the next start.
    case .failure(let error) where error is CancellationError: break
    case .failure: await copies.release(endpoint.name)
    }
    try outcome.get()
  }

  package func update(_ endpoint: HostedEndpoint) async throws {
    let outcome = await outcome { try await fleet.update(try await plan(of: endpoint, isBegin: false)) }
    switch outcome {
    case .success: await copies.accept(endpoint.name)
    case .failure: await copies.reject(endpoint.name)
    }
    try outcome.get()
  }

  // What catches does not throw anew: swiftc 6.3.1 crashes in its optimiser on some async functions that do both.
  private func outcome(of body: () async throws -> Void) async -> Result<Void, any Error> {
    do {
      try await body()
      return .success(())
    } catch {
      return .failure(error)
    }
  }

  package func stop(_ name: String) async {
    // One that never came into service is not there.
    try? await fleet.delete(name)
    await copies.release(name)
  }

  private func plan(of endpoint: HostedEndpoint, isBegin: Bool) async throws -> EndpointPlan {
    let archives = try endpoint.variants.map { try Self.archive(of: $0) }
    let models = try await copies.bring(archives, for: endpoint.name, isBegin: isBegin)
    var plan = EndpointPlan(name: endpoint.name, configurationName: endpoint.config, variants: [])
    for (variant, copy) in zip(endpoint.variants, models) {
      let model = ModelPlan(name: variant.model, path: await copies.path(of: copy), version: copy.version)
      var made = VariantPlan(name: variant.name, model: model, weight: variant.weight)
      made.instanceCount = variant.instanceCount
      if variant.isShadow { plan.shadowVariants.append(made) } else { plan.variants.append(made) }
    }
    plan.capture = endpoint.dataCapture.flatMap(Self.capture)
    return plan
  }

  private static func archive(of variant: HostedEndpoint.Variant) throws -> S3Location {
    guard let data = variant.modelData, !data.key.isEmpty, data.key.utf8.last != UInt8(ascii: "/") else {
      throw EndpointError(.model, "the model \(variant.model) has no ModelDataUrl that names a model.tar.gz")
    }
    return data
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
package struct CaptureWriter: ObjectWriting {
  let objects: any ObjectSource

  package init(objects: any ObjectSource) { self.objects = objects }

  package func write(_ bytes: [UInt8], to uri: String) async throws {
    guard let place = S3Location(uri) else {
      throw EndpointError(.invalid, "\(uri) is no s3://bucket/key that captured requests could be put at")
    }
    try await objects.put(bytes, to: place)
  }
}
