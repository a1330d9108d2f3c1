import Files

/// Why the class folders of a scan are hardly classes: what they look like, and which folder to give instead.
public struct LayoutDoubt: Hashable, Sendable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable {
    /// The folders are called train, val, test: the parts of a data set that is divided already.
    case parts([String], foldersBelow: [String])
    /// Several folders with the same folders below, which look like the classes.
    case sameFoldersBelow([String], foldersBelow: [String])
    /// Each class folder is divided into folders called train, val, test.
    case partsBelow([String])
    /// One class only, whose images lie in folders further down.
    case classesBelow(folder: String, [String])
    /// One class only, and a table that may hold the labels.
    case table(String, only: String)
    case oneClass(String)
  }
  public let reason: Reason
  public let root: String

  /// Whether the folders are surely meant in another way; a single class alone may be meant.
  public var isAnotherLayout: Bool {
    if case .oneClass = reason { false } else { true }
  }

  public var description: String {
    switch reason {
    case .parts(let names, let below):
      let common = below.isEmpty ? "" : " and have the same folders below (\(listed(below)))"
      let training = names.first { trainingWords.contains(partWord(in: $0) ?? "") } ?? ""
      return
        "the class folders are called \(listed(names))\(common): this looks like a data set that is divided already, "
        + "not like classes; run it on \(shown(join(root, training))) and on the others one by one"
    case .sameFoldersBelow(let names, let below):
      return
        "the class folders \(listed(names)) have the same folders below (\(listed(below))), which look like the classes; "
        + "run it on \(shown(join(root, names.first ?? ""))) and on the others one by one"
    case .partsBelow(let names):
      return
        "the class folders hold folders called \(listed(names)): the images are divided anew, not as these folders "
        + "divide them; to keep that, make a list of each and pack it"
    case .classesBelow(let folder, let names):
      return
        "there is one class only, and folders that look like the classes further down (\(listed(names))); "
        + "run it on \(shown(join(root, folder)))"
    case .table(let table, let only):
      return
        "there is one class only, \(shown(only)), and a table, \(shown(table)): this looks like a flat folder whose "
        + "labels stand in the table; write a list of them (index, label and path, with tabs between) and pack it"
    case .oneClass(let name):
      return "only one class has images, \(shown(name)), so that nothing can be told apart"
    }
  }

  private func shown(_ name: String) -> String { printable(name.utf8) }

  /// "a, b and c"; long lists end after five.
  private func listed(_ names: [String]) -> String {
    let shown = names.prefix(5).map { self.shown($0) }
    if names.count > shown.count { return shown.joined(separator: ", ") + ", ..." }
    guard let last = shown.last, shown.count > 1 else { return shown.joined() }
    return shown.dropLast().joined(separator: ", ") + " and " + last
  }
}

extension FolderScan {
  /// What the folders look like instead, where they are hardly classes.
  ///
  /// - Parameter root: of the scan, for the advice.
  /// - Complexity: O(1) where there are classes with images of their own; else O(images).
  public func layoutDoubt(root: String) -> LayoutDoubt? {
    let counts = imageCounts
    let used = classes.indices.filter { counts[$0] > 0 }
    let reason: LayoutDoubt.Reason? =
      if used.count == 1 { doubtOfOneClass(classes[used[0]]) } else { doubt(of: used) }
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

/// Whether there are a part to train with and one to test with: called just so, or all names say so ("seg_train").
private func isDivision(_ names: [String]) -> Bool {
  func has(_ words: Set<String>) -> Bool { names.contains { words.contains($0.lowercased()) } }
  if has(trainingWords) && has(heldOutWords) { return true }
  let words = names.map { partWord(in: $0) }
  return words.contains { $0.map(trainingWords.contains) ?? false }
    && words.contains { $0.map(heldOutWords.contains) ?? false } && !words.contains(nil)
}

private let trainingWords: Set<String> = ["train", "training", "trn"]
private let heldOutWords: Set<String> = [
  "val", "valid", "validation", "dev", "test", "testing", "tst", "eval", "holdout",
]

private func partWord(in name: String) -> String? {
  name.lowercased().split { !$0.isLetter }.map(String.init).first {
    trainingWords.contains($0) || heldOutWords.contains($0)
  }
}

extension FolderScan {
  /// Groups of class folders whose names look alike and are different bytes, and in what they differ.
  public var lookAlikeClasses: [(names: [String], differOnlyInForm: Bool)] {
    // Swift compares strings by what they show: those of a key differ in case, or only in how accents are encoded.
    var alike: [String: [String]] = [:]
    for name in classes { alike[name.lowercased(), default: []].append(name) }
    return alike.values.filter { $0.count > 1 }.map { names in
      (names, names.dropFirst().allSatisfy { $0 == names[0] })
    }.sorted { precedes($0.names[0], $1.names[0]) }
  }
}
