import Files

/// Why the folders of a scan are probably not the classes: what they look like, and which folder to give instead.
public struct LayoutDoubt: Hashable, Sendable, CustomStringConvertible {
  /// What the folders look like.
  public enum Reason: Hashable, Sendable {
    /// The folders are called train, val, test: the data set is split already. `foldersBelow` are those they all
    /// contain.
    case parts([String], foldersBelow: [String])
    /// All folders contain the same subfolders, which look like the classes.
    case sameFoldersBelow([String], foldersBelow: [String])
    /// Each class folder is split into subfolders called train, val, test.
    case partsBelow([String])
    /// The folders are called images and masks, or alike: one image and what was drawn on it, not two classes.
    case imagesAndMarks([String])
    /// Only one class has images, and they lie in subfolders of `folder` that look like the classes.
    case classesBelow(folder: String, [String])
    /// Only one class has images, and there is a table that may contain the labels.
    case table(String, only: String)
    /// Only one class has images.
    case oneClass(String)
  }
  /// What the folders of this scan look like.
  public let reason: Reason
  /// The root of the scan.
  public let root: String

  /// Whether the folders are certainly meant in another way. A single class may be intended.
  public var isAnotherLayout: Bool {
    if case .oneClass = reason { false } else { true }
  }

  /// A sentence with the advice what to run instead.
  public var description: String {
    switch reason {
    case .parts(let names, let below):
      let common = below.isEmpty ? "" : " and have the same folders below (\(listed(below)))"
      let training = names.first { trainingWords.contains(partWord(in: $0) ?? "") } ?? ""
      return
        "the class folders are called \(listed(names))\(common): this looks like a data set that is split already, "
        + "not like classes; run it on \(shown(join(root, training))) and on the others one by one"
    case .sameFoldersBelow(let names, let below):
      return
        "the class folders \(listed(names)) have the same folders below (\(listed(below))), which look like the classes; "
        + "run it on \(shown(join(root, names.first ?? ""))) and on the others one by one"
    case .partsBelow(let names):
      return
        "the class folders contain folders called \(listed(names)): the images are split anew, not as these folders "
        + "split them; to keep that split, make a list of each and pack it"
    case .imagesAndMarks(let names):
      return
        "the class folders are called \(listed(names)): this looks like images and what was marked on them, not like "
        + "classes; one label for each image is needed, in folders or in a list"
    case .classesBelow(let folder, let names):
      return
        "there is one class only, and folders that look like the classes further down (\(listed(names))); "
        + "run it on \(shown(join(root, folder)))"
    case .table(let table, let only):
      return
        "there is one class only, \(shown(only)), and a table, \(shown(table)): this looks like a flat folder whose "
        + "labels are in the table; write a list of them (index, label and path, with tabs between) and pack it"
    case .oneClass(let name):
      return "only one class has images, \(shown(name)), so there is nothing to tell apart"
    }
  }

  private func shown(_ name: String) -> String { printable(name.utf8) }

  /// "a, b and c"; a list of more than five names ends in "...".
  private func listed(_ names: [String]) -> String {
    let shown = names.prefix(5).map { self.shown($0) }
    if names.count > shown.count { return shown.joined(separator: ", ") + ", ..." }
    guard let last = shown.last, shown.count > 1 else { return shown.joined() }
    return shown.dropLast().joined(separator: ", ") + " and " + last
  }
}

extension FolderScan {
  /// What the folders look like where they are probably not the classes; nil where nothing is odd.
  ///
  /// - Parameter root: the root of the scan, for the advice.
  /// - Complexity: O(images).
  public func layoutDoubt(root: String) -> LayoutDoubt? {
    let counts = imageCounts
    let used = classes.indices.filter { counts[$0] > 0 }
    let reason: LayoutDoubt.Reason? =
      if areImagesAndMarks(classes) { .imagesAndMarks(classes) } else if used.count == 1 {
        doubtOfOneClass(classes[used[0]])
      } else { doubt(of: used) }
    return reason.map { LayoutDoubt(reason: $0, root: root) }
  }

  private func doubtOfOneClass(_ name: String) -> LayoutDoubt.Reason {
    let folders = Set(images.map { ByteName(folderName($0.path)) })
    let parts = folders.map { $0.text.utf8.split(separator: UInt8(ascii: "/")) }
    var depth = 0
    while let part = parts.first?.dropFirst(depth).first,
      parts.allSatisfy({ $0.count > depth && $0[depth].elementsEqual(part) })
    {
      depth += 1
    }
    let below = Set(parts.compactMap { $0.dropFirst(depth).first.map { ByteName(String(Substring($0))) } })
    if below.count > 1, parts.allSatisfy({ $0.count > depth }), let first = parts.first {
      let common = first.prefix(depth).map { String(Substring($0)) }.joined(separator: "/")
      return .classesBelow(folder: common, below.sorted().map(\.text))
    }
    let table = passedOver.first { other in
      let isAtRoot = !other.example.utf8.contains(UInt8(ascii: "/"))
      return [".csv", ".tsv"].contains(other.kind) || (isAtRoot && Self.tableKinds.contains(other.kind))
    }
    return table.map { .table($0.example, only: name) } ?? .oneClass(name)
  }

  private static let tableKinds = [".txt", ".json", ".jsonl", ".xls", ".xlsx", ".ods", ".parquet", ".lst"]

  private func doubt(of used: [Int]) -> LayoutDoubt.Reason? {
    let names = used.map { classes[$0] }
    let areParts = isDivision(names)
    guard areParts || (nestedImageCount == images.count && used.count > 1) else { return nil }
    var below = [Set<ByteName>](repeating: [], count: classes.count)
    for image in images {
      let parts = image.path.utf8.split(separator: UInt8(ascii: "/"), maxSplits: 2)
      if parts.count == 3 { below[image.classIndex].insert(ByteName(String(Substring(parts[1])))) }
    }
    let common = used.dropFirst().reduce(below[used[0]]) { $0.intersection(below[$1]) }
    let shared = common.sorted().map(\.text)
    if areParts { return .parts(names, foldersBelow: shared) }
    let all = used.reduce(into: Set<ByteName>()) { $0.formUnion(below[$1]) }.sorted().map(\.text)
    if isDivision(all) && all.allSatisfy({ partWord(in: $0) != nil }) { return .partsBelow(all) }
    let areSame = used.allSatisfy { below[$0] == common }
    return areSame && shared.count > 1 ? .sameFoldersBelow(names, foldersBelow: shared) : nil
  }
}

/// Whether the names are those of a split: one for training and one held out. Either two names are exactly such
/// words, or every name contains one ("seg_train").
private func isDivision(_ names: [String]) -> Bool {
  func has(_ words: Set<String>) -> Bool { names.contains { words.contains($0.lowercased()) } }
  if has(trainingWords) && has(heldOutWords) { return true }
  let words = names.map { partWord(in: $0) }
  return words.contains { $0.map(trainingWords.contains) ?? false }
    && words.contains { $0.map(heldOutWords.contains) ?? false } && !words.contains(nil)
}

/// Whether all names are those of folders of images, or of their masks and labels, with at least one of each.
private func areImagesAndMarks(_ names: [String]) -> Bool {
  let folded = names.map { $0.lowercased().filter(\.isLetter) }
  return folded.allSatisfy { imageWords.contains($0) || markWords.contains($0) }
    && folded.contains(where: imageWords.contains) && folded.contains(where: markWords.contains)
}

private let imageWords: Set<String> = ["image", "images", "img", "imgs", "jpegimages", "photos", "pictures"]
private let markWords: Set<String> = [
  "mask", "masks", "label", "labels", "annotation", "annotations", "segmentation", "segmentations",
  "segmentationclass", "segmentationobject", "imagesets", "groundtruth", "gt",
]

private let trainingWords: Set<String> = ["train", "training", "trn"]
private let heldOutWords: Set<String> = [
  "val", "valid", "validation", "dev", "test", "testing", "tst", "eval", "holdout",
]

/// The first word of the name that names a part of a split; words are separated by anything but letters.
private func partWord(in name: String) -> String? {
  name.lowercased().split { !$0.isLetter }.map(String.init).first {
    trainingWords.contains($0) || heldOutWords.contains($0)
  }
}

extension FolderScan {
  /// Groups of classes whose names look alike but have different bytes: they differ in case or, if
  /// `differOnlyInForm`, only in how accents are encoded.
  public var lookAlikeClasses: [(names: [String], differOnlyInForm: Bool)] {
    // Swift's String compares canonically, so names with equal keys differ in case or in the encoding of accents.
    var alike: [String: [String]] = [:]
    for name in classes { alike[name.lowercased(), default: []].append(name) }
    return alike.values.filter { $0.count > 1 }.map { names in
      (names, names.dropFirst().allSatisfy { $0 == names[0] })
    }.sorted { precedes($0.names[0], $1.names[0]) }
  }
}
