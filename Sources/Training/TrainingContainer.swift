public import Files
import Foundation

/// The folders of a SageMaker training container, `/opt/ml` there: what a job is asked, and where its results go.
public struct TrainingContainer: Sendable {
  public let root: String

  public init(_ root: String) { self.root = root }

  public var modelFolder: String { join(root, "model") }
  public var outputFolder: String { join(root, "output/data") }
  public var checkpointFolder: String { join(root, "checkpoints") }
  public var failurePath: String { join(root, "output/failure") }

  private struct Channel: Decodable {
    let contentType: String?

    private enum CodingKeys: String, CodingKey { case contentType = "ContentType" }
  }

  /// The job as `input/config` and `input/data` describe it. A checkpoint that is there is gone on from.
  ///
  /// - Throws: `TrainingError`: no hyperparameters, no or more than one `.rec` or `.lst` file in a channel.
  public func request() throws(TrainingError) -> TrainingRequest {
    let channels = try self.channels()
    var request = TrainingRequest(
      train: try source("train", channels), validation: try source("validation", channels),
      modelFolder: modelFolder)
    let path = join(root, "input/config/hyperparameters.json")
    request.hyperparameters = try Hyperparameters.pairs(json: bytes(path))
    request.isComplete = true
    request.outputFolder = outputFolder
    request.checkpointFolder = checkpointFolder
    request.resumes = true
    let model = join(root, "input/data/model")
    if isFolder(model) {
      let archives = names(in: model).filter { $0.hasSuffix(".tar.gz") || $0.hasSuffix(".tar") }
      request.pretrained = archives.first.map { join(model, $0) } ?? model
    }
    return request
  }

  /// Leaves the reason where SageMaker looks for it: its first 1024 characters.
  public func writeFailure(_ reason: String) throws(FileError) {
    try makeFolder(folderName(failurePath))
    try writeFile(failurePath, String(reason.prefix(1024)))
  }

  /// The content types of the channels; none where there is no such file.
  private func channels() throws(TrainingError) -> [String: Channel] {
    let path = join(root, "input/config/inputdataconfig.json")
    guard FileStamp(path: path) != nil else { return [:] }
    do { return try JSONDecoder().decode([String: Channel].self, from: Data(try bytes(path))) } catch {
      throw TrainingError(
        "\(path): this is no JSON object of channels, such as {\"train\": {\"ContentType\": \"application/x-recordio\"}}"
      )
    }
  }

  private func bytes(_ path: String) throws(TrainingError) -> [UInt8] {
    do { return try readFile(path, limit: 1 << 24).bytes } catch { throw TrainingError("\(error)") }
  }

  private func source(_ name: String, _ channels: [String: Channel]) throws(TrainingError) -> TrainingSource {
    let folder = join(root, "input/data/\(name)")
    guard isFolder(folder) else {
      throw TrainingError(
        "Unable to start training. There is no \(name) channel: \(folder) is not there")
    }
    let type = channels[name]?.contentType ?? ""
    let isImages = type.hasPrefix("image/") || type.contains("x-image")
    let lists = join(root, "input/data/\(name)_lst")
    if isImages || (type.isEmpty && isFolder(lists)) {
      let list = try only(".lst", in: lists, channel: name + "_lst")
      return .list(list, root: folder)
    }
    let manifests = names(in: folder).filter { $0.hasSuffix(".manifest") || $0.hasSuffix(".jsonl") }
    if manifests.count == 1, !names(in: folder).contains(where: { $0.hasSuffix(".rec") }) {
      var options = ManifestOptions()
      options.labelsAreClassIDs = type.contains("label-format=class-id")
      return .manifest(join(folder, manifests[0]), options)
    }
    return .records(try only(".rec", in: folder, channel: name))
  }

  /// The one file with this ending.
  private func only(_ suffix: String, in folder: String, channel: String) throws(TrainingError) -> String {
    let found = names(in: folder).filter { $0.hasSuffix(suffix) }
    guard let name = found.first else {
      throw TrainingError(
        "Unable to start training. There is no \(suffix) file in the \(channel) channel (\(folder))")
    }
    guard found.count == 1 else {
      throw TrainingError(
        "Unable to start training. There are \(found.count) \(suffix) files in the \(channel) channel "
          + "(\(found.prefix(3).joined(separator: ", "))); one is expected")
    }
    return join(folder, name)
  }

  /// Files, those in folders too, as SageMaker keeps the keys of a prefix; sorted.
  private func names(in folder: String) -> [String] {
    let names = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
    return names.filter { !isFolder(join(folder, $0)) }.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }
}
