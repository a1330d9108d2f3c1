import Encodings
import Files
public import Hyperparameters

/// A channel of InputDataConfig.
public struct Channel: Hashable, Sendable {
  public let name: String
  /// The S3Uri: a local path, a `file://` URL, or another URI that a resolver converts to a path.
  public let place: String
  /// ContentType; empty if the channel has none.
  public let contentType: String
  /// AttributeNames of an augmented manifest: of the image, then of the label; empty for other data.
  public let attributes: [String]

  static let members = [
    "ChannelName", "DataSource", "ContentType", "CompressionType", "RecordWrapperType", "InputMode",
    "ShuffleConfig",
  ]

  init(_ reader: RequestReader) throws(TuningError) {
    name = try reader.required(reader.text("ChannelName"), "ChannelName")
    contentType = try reader.text("ContentType") ?? ""
    let source = try reader.required(reader.object("DataSource"), "DataSource")
    let place = try source.required(source.object("S3DataSource"), "S3DataSource")
    self.place = try place.required(place.text("S3Uri"), "S3Uri")
    var attributes: [String] = []
    for value in try place.list("AttributeNames") {
      guard case .string(let name) = value else {
        throw TuningError("\(place.place("AttributeNames")): strings are expected")
      }
      attributes.append(name)
    }
    self.attributes = attributes
    if attributes.isEmpty, try place.text("S3DataType") == "AugmentedManifestFile" {
      throw TuningError("The channel \(name) is an AugmentedManifestFile; AttributeNames must be given")
    }
  }

  /// Converts an S3Uri to a local path.
  public typealias Resolver = @Sendable (String) throws -> String

  /// Resolves local paths and `file://` URLs.
  ///
  /// - Throws: `TuningError` for other URIs, such as `s3://`, and if nothing exists at the path.
  public static let local: Resolver = { place in
    let path = try pathHere(place)
    guard FileStamp(path: path) != nil else { throw TuningError("\(path): there is no such file or folder") }
    return path
  }

  /// The path in a local path or a `file://` URL, whether or not anything exists there.
  ///
  /// - Throws: `TuningError` for other URIs and malformed ones.
  public static func pathHere(_ place: String) throws(TuningError) -> String {
    do throws(ReferenceFault) { return try localPath(ofReference: place) } catch {
      switch error {
      case .scheme(let scheme):
        throw TuningError(
          "\(place): \(scheme):// is not on this machine; a local path or a file:// URL is expected",
          lacks: .copy(of: place))
      case .malformed:
        throw TuningError("\(place): this is not a valid file:// URL, such as file:///data/train")
      }
    }
  }
}

/// The data that the jobs of a tuning train on.
public struct TrainingInputs: Hashable, Sendable {
  public let train: TrainingSource
  public let validation: TrainingSource
  /// The path of a pretrained model to start from; nil to start from random weights.
  public let pretrained: String?

  public init(train: TrainingSource, validation: TrainingSource, pretrained: String? = nil) {
    (self.train, self.validation, self.pretrained) = (train, validation, pretrained)
  }

  /// - Throws: `TuningError` or `TrainingError` if a required channel is missing or its contents are not as expected.
  public init(_ channels: [Channel], resolve: Channel.Resolver = Channel.local) throws {
    func path(_ name: String) throws -> String? {
      try channels.first { $0.name == name }.map { try resolve($0.place) }
    }
    func source(_ name: String) throws -> TrainingSource {
      guard let channel = channels.first(where: { $0.name == name }) else {
        throw TuningError(
          "InputDataConfig has no channel '\(name)'; the channels 'train' and 'validation' are required")
      }
      if let image = channel.attributes.first, image != "source-ref" {
        throw TuningError(
          "the channel '\(name)': the first of AttributeNames is [\(image)], 'source-ref' is expected")
      }
      return try TrainingSource(
        channel: name, at: resolve(channel.place), lists: path(name + "_lst"),
        contentType: channel.contentType, attributeNames: channel.attributes)
    }
    for (index, channel) in channels.enumerated()
    where channels[..<index].contains(where: { hasSameBytes($0.name, channel.name) }) {
      throw TuningError("Duplicate channel names are not allowed: \(channel.name)")
    }
    train = try source("train")
    validation = try source("validation")
    pretrained = try path("model").map { try TrainingSource.model(in: $0) }
    guard train.labelsAreClassIDs == validation.labelsAreClassIDs else {
      throw TuningError("the label-format of the channels 'train' and 'validation' must be the same")
    }
  }
}
