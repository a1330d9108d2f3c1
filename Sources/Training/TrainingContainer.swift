import Encodings
public import Files
public import Hyperparameters

/// The folders of a SageMaker training container: the job's description and data, and where the results belong.
public struct TrainingContainer: Sendable {
  /// The root folder, which is `/opt/ml` in a container.
  public let root: String

  public init(_ root: String) { self.root = root }

  /// SageMaker packs this folder into `model.tar.gz`.
  public var modelFolder: String { join(root, "model") }
  /// SageMaker packs this folder into `output.tar.gz`.
  public var outputFolder: String { join(root, "output/data") }
  /// SageMaker keeps this folder in step with the job's checkpoint location in S3.
  public var checkpointFolder: String { join(root, "checkpoints") }
  /// The file with the reason of a failure.
  public var failurePath: String { join(root, "output/failure") }

  private struct Channel: Decodable {
    let contentType: String?
    /// The attributes of an augmented manifest that imrec serve has stored as a file; SageMaker does not pass them on.
    let attributeNames: [String]?

    private enum CodingKeys: String, CodingKey {
      case contentType = "ContentType"
      case attributeNames = "AttributeNames"
    }
  }

  /// Reads the job from `input/config` and `input/data`. The job resumes from a checkpoint if there is one.
  ///
  /// - Throws: `TrainingError` if the hyperparameters or a channel are missing, and if a channel does not hold
  ///   exactly one `.rec`, `.lst` or manifest file.
  public func request() throws(TrainingError) -> TrainingRequest {
    let channels = try self.channels()
    var request = TrainingRequest(
      train: try source("train", channels), validation: try source("validation", channels),
      modelFolder: modelFolder)
    let path = join(root, "input/config/hyperparameters.json")
    request.hyperparameters = try HyperparameterSet.pairs(json: bytes(path))
    // Jobs of a tuning may omit `num_classes` and `num_training_samples`; they are then counted from the data.
    request.isComplete = !request.hyperparameters.contains { $0.name == HyperparameterSet.tuningMark }
    request.outputFolder = outputFolder
    request.checkpointFolder = checkpointFolder
    request.resumes = true
    let model = join(root, "input/data/model")
    if isFolder(model) { request.pretrained = try TrainingSource.model(in: model) }
    return request
  }

  /// Writes the reason of a failure to `output/failure`, where SageMaker reads its first 1,024 characters.
  public func writeFailure(_ reason: String) throws(FileError) {
    try makeFolder(folderName(failurePath))
    try writeFile(failurePath, String(reason.prefix(1024)))
  }

  /// The channels by name; empty if the file does not exist.
  private func channels() throws(TrainingError) -> [String: Channel] {
    let path = join(root, "input/config/inputdataconfig.json")
    guard FileStamp(path: path) != nil else { return [:] }
    let bytes = try self.bytes(path)
    do throws(JSONError) { return try JSON.decode([String: Channel].self, from: bytes) } catch {
      throw TrainingError(
        "\(path): not a JSON object of channels, such as {\"train\": {\"ContentType\": \"application/x-recordio\"}}: \(error)"
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
        "Unable to start training. There is no \(name) channel: the folder \(folder) does not exist")
    }
    let lists = join(root, "input/data/\(name)_lst")
    return try TrainingSource(
      channel: name, at: folder, lists: isFolder(lists) ? lists : nil,
      contentType: channels[name]?.contentType ?? "",
      attributeNames: channels[name]?.attributeNames ?? [])
  }
}
