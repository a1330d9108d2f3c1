import Files

/// The lists that record mode packs.
struct FoundLists: Equatable {
  /// Where the lists are, and their records go.
  let folder: String
  /// Names in the folder, in the order of their bytes.
  let names: [String]
  /// Those that are taken only because their name starts like the prefix.
  let doubtful: [String]

  /// Every file in the folder that starts with the prefix and ends with `.lst`, as im2rec.py takes them.
  ///
  /// Where the prefix is a folder, the lists in it are taken; where it has none, those beside it: list mode writes
  /// them there, for example `photos.lst` beside `photos/`, and im2rec.py then finds nothing.
  /// - Parameter prefix: absolute.
  static func find(prefix: String) throws(FileError) -> FoundLists {
    if isFolder(prefix) {
      let inside = try find(prefix: prefix, in: prefix)
      if !inside.names.isEmpty { return inside }
      let beside = try find(prefix: prefix, in: folderName(prefix))
      return beside.names.isEmpty ? inside : beside
    }
    return try find(prefix: prefix, in: folderName(prefix))
  }

  private static func find(prefix: String, in folder: String) throws(FileError) -> FoundLists {
    let names = try namesInFolder(folder).filter { name in
      let path = join(folder, name)
      return path.utf8.starts(with: prefix.utf8) && name.utf8.suffix(4).elementsEqual(".lst".utf8)
        && isRegularFile(path)
    }
    let stem = folder == prefix ? nil : baseName(prefix)
    return FoundLists(
      folder: folder, names: names,
      doubtful: names.filter { name in
        guard let stem else { return false }
        return !isOwn(Substring(name.utf8.dropLast(4).dropFirst(stem.utf8.count)))
      })
  }

  /// Whether list mode gives a list this suffix: none, `_<chunk>`, and one of the three splits.
  private static func isOwn(_ suffix: Substring) -> Bool {
    var rest = suffix
    for split in ["_train", "_val", "_test"] where rest.hasByteSuffix(split) {
      rest = Substring(rest.utf8.dropLast(split.utf8.count))
      break
    }
    if rest.isEmpty { return true }
    let digits = rest.dropFirst()
    return rest.first == "_" && !digits.isEmpty && digits.utf8.allSatisfy { (48...57).contains($0) }
  }
}
