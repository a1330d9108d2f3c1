import Files
import Foundation

extension TrainingSource {
  /// What a channel of SageMaker's algorithm holds. That it is an augmented manifest comes before its content type, which
  /// may be that of the images.
  ///
  /// - Parameters:
  ///   - name: for the sentences: "train".
  ///   - place: a folder, searched for its one `.rec`, or for a manifest; or one of these files itself.
  ///   - lists: of image channels, the folder that has the one `.lst`, or the list itself.
  ///   - contentType: SageMaker's, or nothing.
  ///   - attributeNames: of an AugmentedManifestFile; else empty.
  /// - Throws: no `.rec` or `.lst`, or more than one.
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
      throw TrainingError("Unable to start training. There is no \(name)_lst channel, which images need")
    }
    self = .records(try only([".rec"], in: place, channel: name))
  }

  /// The model that a channel of one holds: the archive in it, or, where there is none, the folder.
  ///
  /// - Throws: more than one archive.
  public static func model(in place: String) throws(TrainingError) -> String {
    has(names(in: place), archiveSuffixes) ? try only(archiveSuffixes, in: place, channel: "model") : place
  }
}

private let manifestSuffixes = [".manifest", ".jsonl"]
private let archiveSuffixes = [".tar.gz", ".tgz", ".tar"]

private func has(_ names: [String], _ suffixes: [String]) -> Bool {
  names.contains { name in suffixes.contains { name.hasByteSuffix($0) } }
}

/// The one file with one of these endings.
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

/// Files, those in folders too, as SageMaker keeps the keys of a prefix; sorted. Of a file, itself.
private func names(in folder: String) -> [String] {
  guard isFolder(folder) else { return FileStamp(path: folder) == nil ? [] : [absolute(folder)] }
  let names = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
  return names.filter { !isLitter(baseName($0)) && !isFolder(join(folder, $0)) }.sorted { precedes($0, $1) }
}

/// A path that stands for itself where it is joined.
private func absolute(_ path: String) -> String {
  join(FileManager.default.currentDirectoryPath, path)
}
