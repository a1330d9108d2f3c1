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
}

/// How the lines of an augmented manifest are read.
public struct ManifestOptions: Hashable, Sendable {
  /// SageMaker's AttributeNames: that of the image, that of the label. nil: `source-ref`, and the first other name, in
  /// alphabetical order, that does not end in `-ref` or `-metadata`.
  public var attributes: (image: String, label: String)? {
    get { image.flatMap { image in label.map { (image, $0) } } }
    set { (image, label) = (newValue?.image, newValue?.label) }
  }
  private var image: String?, label: String?
  /// A list of labels holds the numbers of classes (`label-format=class-id`), not a 0 or 1 a class.
  public var labelsAreClassIDs = false

  public init() {}
}
