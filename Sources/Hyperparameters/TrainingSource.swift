import Files
import Records

/// The source of labelled images.
public enum TrainingSource: Hashable, Sendable {
  /// A `.rec` file. It needs no `.idx`: labels are read from the records themselves.
  case records(String)
  /// A `.lst` file with paths relative to `root`, as in SageMaker's x-image channels.
  case list(String, root: String)
  /// SageMaker's augmented manifest: one JSON object per line. Paths are relative to the manifest's folder.
  case manifest(String, ManifestOptions = ManifestOptions())

  /// The path of the `.rec`, list or manifest file.
  public var path: String {
    switch self {
    case .records(let path), .list(let path, _), .manifest(let path, _): path
    }
  }

  /// Whether the lists of labels in a manifest hold class IDs.
  public var labelsAreClassIDs: Bool {
    if case .manifest(_, let options) = self { options.labelsAreClassIDs } else { false }
  }
}

/// How to read the lines of an augmented manifest.
public struct ManifestOptions: Hashable, Sendable {
  /// The attribute that holds the image's path.
  public var image = "source-ref"
  /// The attribute that holds the label; nil: `LabelAttribute` decides.
  public var label: String?
  /// Whether a list of labels holds class IDs (`label-format=class-id`) instead of a 0 or 1 for each class.
  public var labelsAreClassIDs = false

  public init() {}

  /// The options that a SageMaker channel describes.
  ///
  /// - Parameters:
  ///   - names: the channel's AttributeNames: first the image's, then the label's. Further names are ignored.
  ///   - contentType: may contain a `label-format` parameter.
  /// - Throws: `TrainingError` if the names are not an image's and a label's, or the label format is unknown.
  public init(attributeNames names: [String], contentType: String) throws(TrainingError) {
    guard names.count >= 2, names[0].hasByteSuffix("-ref"), !names[1].hasByteSuffix("-ref"),
      !names[1].hasByteSuffix(LabelAttribute.suffix)
    else {
      throw TrainingError(
        "AttributeNames is [\(names.prefix(5).joined(separator: ", "))]; the image's name followed by the label's is "
          + "expected, such as [source-ref, class]")
    }
    (image, label) = (names[0], names[1])
    labelsAreClassIDs = try Self.labelsAreClassIDs(contentType)
  }

  /// - Parameter contentType: such as `application/x-recordio; label-format=class-id`.
  static func labelsAreClassIDs(_ contentType: String) throws(TrainingError) -> Bool {
    for part in contentType.split(separator: ";").dropFirst() {
      let words = part.split(separator: "=", maxSplits: 1).map { $0.filter { $0 != " " }.lowercased() }
      guard words.first == "label-format" else { continue }
      switch words.last {
      case "class-id": return true
      case "multi-hot": return false
      default:
        throw TrainingError(
          "the content type '\(contentType)' has an unknown label-format; class-id or multi-hot is expected"
        )
      }
    }
    return false
  }
}
