import Files
import Foundation

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
