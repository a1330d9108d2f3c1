import Files
import Foundation
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

extension TrainingSource {
  /// Finds the data of a channel of SageMaker's algorithm. Attribute names mark an augmented manifest whatever the
  /// content type, which may be that of the images.
  ///
  /// - Parameters:
  ///   - name: the channel's name for errors, such as "train".
  ///   - place: a folder that holds exactly one `.rec` file or manifest, or such a file itself. For an image channel,
  ///     the folder of the images.
  ///   - lists: for an image channel, the folder that holds exactly one `.lst` file, or the file itself.
  ///   - contentType: the channel's content type; may be empty.
  ///   - attributeNames: those of an AugmentedManifestFile; otherwise empty.
  /// - Throws: `TrainingError` if the expected file is missing, or there is more than one.
  public init(
    channel name: String, at place: String, lists: String?, contentType: String, attributeNames: [String] = []
  ) throws(TrainingError) {
    if !attributeNames.isEmpty {
      let options = try ManifestOptions(attributeNames: attributeNames, contentType: contentType)
      self = .manifest(
        isFolder(place) ? try only(manifestSuffixes, in: place, channel: name) : place, options)
      return
    }
    let isImages = contentType.hasPrefix("image/") || contentType.contains("x-image")
    if let lists, isImages || contentType.isEmpty {
      self = .list(try only([".lst"], in: lists, channel: name + "_lst"), root: place)
      return
    }
    let files = names(in: place)
    if has(files, manifestSuffixes), !has(files, [".rec"]) {
      var options = ManifestOptions()
      options.labelsAreClassIDs = try ManifestOptions.labelsAreClassIDs(contentType)
      self = .manifest(try only(manifestSuffixes, in: place, channel: name), options)
      return
    }
    if isImages {
      throw TrainingError(
        "Unable to start training. The \(name) channel holds images, so a \(name)_lst channel is expected")
    }
    self = .records(try only([".rec"], in: place, channel: name))
  }

  /// The path of the pretrained model in a model channel: its one archive or, if it holds none, the folder itself.
  ///
  /// - Throws: `TrainingError` if there is more than one archive.
  public static func model(in place: String) throws(TrainingError) -> String {
    has(names(in: place), archiveSuffixes) ? try only(archiveSuffixes, in: place, channel: "model") : place
  }
}

private let manifestSuffixes = [".manifest", ".jsonl"]
private let archiveSuffixes = [".tar.gz", ".tgz", ".tar"]

private func has(_ names: [String], _ suffixes: [String]) -> Bool {
  names.contains { name in suffixes.contains { name.hasByteSuffix($0) } }
}

/// The path of the only file with one of these suffixes.
private func only(_ suffixes: [String], in folder: String, channel: String) throws(TrainingError) -> String {
  let found = names(in: folder).filter { has([$0], suffixes) }
  let kind = suffixes[0]
  guard let name = found.first else {
    throw TrainingError(
      "Unable to start training. There is no \(kind) file in the \(channel) channel (\(folder))")
  }
  guard found.count == 1 else {
    throw TrainingError(
      "Unable to start training. There are \(found.count) \(kind) files in the \(channel) channel "
        + "(\(found.prefix(3).joined(separator: ", "))); one is expected")
  }
  return join(folder, name)
}

/// The files in a folder and its subfolders, sorted, because SageMaker keeps the keys below an S3 prefix as subfolders.
/// For a file, its own absolute path.
private func names(in folder: String) -> [String] {
  guard isFolder(folder) else { return FileStamp(path: folder) == nil ? [] : [absolute(folder)] }
  let names = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
  return names.filter { !isLitter(baseName($0)) && !isFolder(join(folder, $0)) }.sorted { precedes($0, $1) }
}

/// An absolute path, which `join` leaves unchanged.
private func absolute(_ path: String) -> String {
  join(FileManager.default.currentDirectoryPath, path)
}
