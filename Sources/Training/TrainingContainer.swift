import Encodings
public import Files
public import Hyperparameters

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
    /// Of an augmented manifest that has been laid out as files; SageMaker's own containers are not told.
    let attributeNames: [String]?

    private enum CodingKeys: String, CodingKey {
      case contentType = "ContentType"
      case attributeNames = "AttributeNames"
    }
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
    request.hyperparameters = try HyperparameterSet.pairs(json: bytes(path))
    // What a tuning asks for is taken as `num_classes` and `num_training_samples` of the data, as outside of containers.
    request.isComplete = !request.hyperparameters.contains { $0.name == HyperparameterSet.tuningMark }
    request.outputFolder = outputFolder
    request.checkpointFolder = checkpointFolder
    request.resumes = true
    let model = join(root, "input/data/model")
    if isFolder(model) { request.pretrained = try TrainingSource.model(in: model) }
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
    let bytes = try self.bytes(path)
    do throws(JSONError) { return try JSON.decode([String: Channel].self, from: bytes) } catch {
      throw TrainingError(
        "\(path): this is no JSON object of channels, such as {\"train\": {\"ContentType\": \"application/x-recordio\"}}: \(error)"
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
    let lists = join(root, "input/data/\(name)_lst")
    return try TrainingSource(
      channel: name, at: folder, lists: isFolder(lists) ? lists : nil,
      contentType: channels[name]?.contentType ?? "",
      attributeNames: channels[name]?.attributeNames ?? [])
  }
}
