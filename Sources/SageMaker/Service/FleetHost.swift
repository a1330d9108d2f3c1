import Encodings
package import Endpoints
import Files
import Foundation
import Glibc
import Inference
import Networks
package import S3

/// Serves the control plane's endpoints with an `EndpointFleet`.
package struct FleetHost: EndpointHost {
  let fleet: EndpointFleet
  private let copies: ModelCopies

  /// - Parameter folder: where copies of the model archives are stored. Anything else in it may be deleted.
  package init(_ fleet: EndpointFleet, objects: any ObjectSource, folder: String) {
    self.fleet = fleet
    copies = ModelCopies(objects: objects, folder: folder)
  }

  package func start(_ endpoint: HostedEndpoint) async throws {
    if fleet.summary(of: endpoint.name) != nil { return try await update(endpoint) }
    let outcome = await outcome { try await fleet.create(try await plan(of: endpoint, isBegin: true)) }
    switch outcome {
    case .success: await copies.accept(endpoint.name)
    // The service is shutting down, and the next start restores the endpoint, so its copies stay.
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

  // A separate function: the optimiser of swiftc 6.3.1 crashes on some async functions that catch and rethrow.
  private func outcome(of body: () async throws -> Void) async -> Result<Void, any Error> {
    do {
      try await body()
      return .success(())
    } catch {
      return .failure(error)
    }
  }

  package func stop(_ name: String) async {
    // Deletion fails for an endpoint that never came into service; that is not an error.
    try? await fleet.delete(name)
    await copies.release(name)
  }

  private func plan(of endpoint: HostedEndpoint, isBegin: Bool) async throws -> EndpointPlan {
    let archives = try endpoint.variants.map { try Self.archive(of: $0) }
    let models = try await copies.bring(archives, for: endpoint.name, isBegin: isBegin)
    var plan = EndpointPlan(name: endpoint.name, configurationName: endpoint.config, variants: [])
    for (variant, copy) in zip(endpoint.variants, models) {
      var model = ModelPlan(name: variant.model, path: await copies.path(of: copy), version: copy.version)
      model.precision = try Self.precision(of: variant)
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

  private static func precision(of variant: HostedEndpoint.Variant) throws -> PrecisionChoice? {
    do throws(ClassifierError) {
      return try PrecisionChoice(environment: variant.environment)
    } catch {
      throw EndpointError(.model, "the model \(variant.model): \(error)")
    }
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

/// Stores captured requests as objects.
package struct CaptureWriter: ObjectWriting {
  let objects: any ObjectSource

  package init(objects: any ObjectSource) { self.objects = objects }

  package func write(_ bytes: [UInt8], to uri: String) async throws {
    guard let place = S3Location(uri) else {
      throw EndpointError(
        .invalid, "captured requests cannot be stored at \(uri); s3://bucket/key is expected")
    }
    try await objects.put(bytes, to: place)
  }
}

/// Local copies of the model archives that endpoints use; each version of an archive is stored once.
///
/// `<endpoint>.json` lists the copies that an endpoint uses. It is written before the download and deleted with the
/// endpoint. So even after a crash every copy in use is listed, and all other copies can be deleted.
actor ModelCopies {
  /// One version of one archive.
  struct Copy: Hashable {
    /// The archive's location, `s3://bucket/key`.
    let data: ByteName
    let version: String
    /// The name of the copy's folder.
    let folder: String
  }
  private struct Use {
    /// The copies that the endpoint serves now.
    var present: [Copy]
    /// The copies for an update in progress.
    var coming: [Copy] = []
  }
  private let objects: any ObjectSource
  private let folder: String
  private var uses: [String: Use] = [:]

  private static let archive = "model.tar.gz"

  /// Deletes the copies that no endpoint used when the program last ended.
  init(objects: any ObjectSource, folder: String) {
    (self.objects, self.folder) = (objects, folder)
    for name in Self.names(in: folder) where name.hasSuffix(".json") {
      uses[String(name.dropLast(".json".count))] = Use(present: Self.read(join(folder, name)))
    }
    Self.sweep(folder, keeping: uses, isBegin: true)
  }

  func path(of copy: Copy) -> String { join(join(folder, copy.folder), Self.archive) }

  /// Downloads the archives that an endpoint will use, and keeps those that it uses now. The caller must then call `accept`
  /// or `reject`.
  ///
  /// - Parameter isBegin: whether the endpoint is restored after a restart. If an archive can no longer be found in the
  ///   object store, the copy from before the restart is used.
  /// - Returns: a copy for each archive, in the same order.
  func bring(_ archives: [S3Location], for endpoint: String, isBegin: Bool) async throws -> [Copy] {
    let former = uses[endpoint]?.present ?? []
    var copies: [Copy] = []
    for archive in archives { copies.append(try await copy(of: archive, isBegin ? former : [])) }
    uses[endpoint, default: Use(present: [])].coming = copies
    try write(endpoint)
    for (archive, copy) in zip(archives, copies) where FileStamp(path: path(of: copy)) == nil {
      let path = path(of: copy)
      try makeFolder(folderName(path))
      let partial = path + ".\(UUID().uuidString).partial"
      try await objects.download(archive, to: partial)
      guard unsafe rename(partial, path) == 0 else {
        throw FileError(.system(call: "rename", code: errno), path: path)
      }
    }
    return copies
  }

  /// Switches an endpoint to the copies that `bring` returned, and deletes its unused ones.
  func accept(_ endpoint: String) { change(endpoint) { $0.present = $0.coming } }

  /// Keeps an endpoint's current copies, and deletes the unused ones that `bring` downloaded.
  func reject(_ endpoint: String) { change(endpoint) { _ in } }

  /// Deletes the copies of a deleted endpoint that no other endpoint uses.
  func release(_ endpoint: String) { change(endpoint) { $0.present = [] } }

  private func change(_ endpoint: String, _ body: (inout Use) -> Void) {
    guard var use = uses[endpoint] else { return }
    body(&use)
    use.coming = []
    uses[endpoint] = use.present.isEmpty ? nil : use
    // If this write fails, the previous list stays: it lists more copies than are used, but none is missing.
    try? write(endpoint)
    Self.sweep(folder, keeping: uses, isBegin: false)
  }

  private func copy(of archive: S3Location, _ former: [Copy]) async throws -> Copy {
    do {
      guard let version = try await objects.etag(of: archive) else {
        throw ControlPlaneError.invalid("there is no object \(archive)")
      }
      return Copy(
        data: ByteName(archive.description), version: version, folder: Self.name(of: "\(archive) \(version)"))
    } catch {
      guard !(error is CancellationError),
        let known = former.last(where: { $0.data == ByteName(archive.description) }),
        FileStamp(path: path(of: known)) != nil
      else { throw error }
      return known
    }
  }

  /// A folder name: a text's 64-bit FNV-1a hash in hexadecimal.
  private static func name(of text: String) -> String {
    String(
      text.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }, radix: 16)
  }

  // MARK: Lists

  private func write(_ endpoint: String) throws {
    let path = join(folder, endpoint + ".json")
    guard let use = uses[endpoint] else {
      unsafe unlink(path)
      return
    }
    try makeFolder(folder)
    let copies = use.present + use.coming.filter { !use.present.contains($0) }
    let list = JSON.list(
      copies.map {
        ["data": .string($0.data.text), "version": .string($0.version), "folder": .string($0.folder)]
      })
    try writeFile(path, list.encoded)
  }

  private static func read(_ path: String) -> [Copy] {
    guard let bytes = try? readFile(path, limit: 1 << 20).bytes, let list = try? JSON(parsing: bytes) else {
      return []
    }
    return (list.list ?? []).compactMap { copy in
      guard let data = copy["data"]?.text, let version = copy["version"]?.text,
        let folder = copy["folder"]?.text
      else { return nil }
      return Copy(data: ByteName(data), version: version, folder: folder)
    }
  }

  private static func names(in folder: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
  }

  /// Deletes the copies that no endpoint uses.
  ///
  /// - Parameter isBegin: whether no download is running, so that leftovers of interrupted downloads can be deleted too.
  private static func sweep(_ folder: String, keeping uses: [String: Use], isBegin: Bool) {
    let used = Set(uses.values.flatMap { $0.present + $0.coming }.map(\.folder))
    for name in names(in: folder) where isFolder(join(folder, name)) {
      let place = join(folder, name)
      if !used.contains(name) {
        try? FileManager.default.removeItem(atPath: place)
      } else if isBegin {
        for file in names(in: place) where file != archive {
          try? FileManager.default.removeItem(atPath: join(place, file))
        }
      }
    }
  }
}
