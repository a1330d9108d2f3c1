import Files
import Foundation

extension TrainingSource {
  /// What a channel of SageMaker's algorithm holds.
  ///
  /// - Parameters:
  ///   - name: for the sentences: "train".
  ///   - place: a folder, searched for its one `.rec`, or for a manifest; or one of these files itself.
  ///   - lists: of image channels, the folder that has the one `.lst`, or the list itself.
  ///   - contentType: SageMaker's, or nothing.
  /// - Throws: no `.rec` or `.lst`, or more than one.
  public init(channel name: String, at place: String, lists: String?, contentType: String)
    throws(TrainingError)
  {
    let isImages = contentType.hasPrefix("image/") || contentType.contains("x-image")
    if isImages || (contentType.isEmpty && lists != nil) {
      guard let lists else {
        throw TrainingError("Unable to start training. There is no \(name)_lst channel, which images need")
      }
      self = .list(try only(".lst", in: lists, channel: name + "_lst"), root: place)
      return
    }
    let manifests = names(in: place).filter { $0.hasSuffix(".manifest") || $0.hasSuffix(".jsonl") }
    if manifests.count == 1, !names(in: place).contains(where: { $0.hasSuffix(".rec") }) {
      var options = ManifestOptions()
      options.labelsAreClassIDs = contentType.contains("label-format=class-id")
      self = .manifest(join(place, manifests[0]), options)
      return
    }
    self = .records(try only(".rec", in: place, channel: name))
  }

  /// The archive of a channel with a model; nil where there is none.
  public static func archive(in folder: String) -> String? {
    names(in: folder).first { $0.hasSuffix(".tar.gz") || $0.hasSuffix(".tar") }.map { join(folder, $0) }
  }
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

/// Files, those in folders too, as SageMaker keeps the keys of a prefix; sorted. Of a file, itself.
private func names(in folder: String) -> [String] {
  guard isFolder(folder) else { return FileStamp(path: folder) == nil ? [] : [absolute(folder)] }
  let names = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
  return names.filter { !isFolder(join(folder, $0)) }.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
}

/// A path that stands for itself where it is joined.
private func absolute(_ path: String) -> String {
  join(FileManager.default.currentDirectoryPath, path)
}
