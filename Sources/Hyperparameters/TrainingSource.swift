import Files
import Records

/// Where labelled images come from.
public enum TrainingSource: Hashable, Sendable {
  /// A `.rec` file. An `.idx` beside it is not needed: labels are read from the records themselves.
  case records(String)
  /// A `.lst` file, whose paths start from `root`: SageMaker's x-image channels.
  case list(String, root: String)
  /// SageMaker's augmented manifest: a JSON object a line. Paths start from the manifest's folder.
  case manifest(String, ManifestOptions = ManifestOptions())

  public var path: String {
    switch self {
    case .records(let path), .list(let path, _), .manifest(let path, _): path
    }
  }

  /// Whether a manifest's lists of labels hold the numbers of classes.
  public var labelsAreClassIDs: Bool {
    if case .manifest(_, let options) = self { options.labelsAreClassIDs } else { false }
  }
}

/// How the lines of an augmented manifest are read.
public struct ManifestOptions: Hashable, Sendable {
  /// The attribute with the image's path.
  public var image = "source-ref"
  /// That of the label; nil: what `LabelAttribute` finds.
  public var label: String?
  /// A list of labels holds the numbers of classes (`label-format=class-id`), not a 0 or 1 a class.
  public var labelsAreClassIDs = false

  public init() {}

  /// As SageMaker's channels have it.
  ///
  /// - Parameters:
  ///   - names: AttributeNames, whose order says what they are: the image, then the label. Further ones are not read.
  ///   - contentType: with a `label-format` in it, or without.
  /// - Throws: names that are none of an image and a label; a format that is not known.
  public init(attributeNames names: [String], contentType: String) throws(TrainingError) {
    guard names.count >= 2, names[0].hasByteSuffix("-ref"), !names[1].hasByteSuffix("-ref"),
      !names[1].hasByteSuffix(LabelAttribute.suffix)
    else {
      throw TrainingError(
        "AttributeNames is [\(names.prefix(5).joined(separator: ", "))]; the image's and then the label's are expected, "
          + "such as [source-ref, class]")
    }
    (image, label) = (names[0], names[1])
    labelsAreClassIDs = try Self.labelsAreClassIDs(contentType)
  }

  /// - Parameter contentType: `application/x-recordio; label-format=class-id`.
  static func labelsAreClassIDs(_ contentType: String) throws(TrainingError) -> Bool {
    for part in contentType.split(separator: ";").dropFirst() {
      let words = part.split(separator: "=", maxSplits: 1).map { $0.filter { $0 != " " }.lowercased() }
      guard words.first == "label-format" else { continue }
      switch words.last {
      case "class-id": return true
      case "multi-hot": return false
      default:
        throw TrainingError(
          "the content type '\(contentType)' has a label-format that is not known; it is class-id or multi-hot"
        )
      }
    }
    return false
  }
}
