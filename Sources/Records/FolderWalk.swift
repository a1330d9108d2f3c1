import Files
import Glibc

/// The walk behind `FolderScan`: depth first, without recursion, one open folder at a time.
struct FolderWalk {
  private(set) var scan = FolderScan(classes: [], images: [])
  private let root: String
  private let layout: FolderScan.Layout
  /// As bytes: a million names are compared with them.
  private let extensions: [[UInt8]]
  private let patterns: [String]
  private var isMatched: [Bool]

  init(root: String, layout: FolderScan.Layout, extensions: Set<String>, patterns: [String]) {
    self.root = root
    self.layout = layout
    self.extensions = extensions.map { Array($0.utf8) }
    self.patterns = patterns
    isMatched = patterns.map { _ in false }
  }

  var unmatchedPatterns: [String] { patterns.indices.filter { !isMatched[$0] }.map { patterns[$0] } }

  /// Files of one kind that were not taken.
  private struct Others {
    var count = 0
    let example: String
    /// Where they lie; nil for the root.
    let classIndex: Int?
    var areInOnePlace = true
  }
  private var others: [String: Others] = [:]
  /// Those below the class folder that is being walked.
  private var othersOfClass: [String: Int] = [:]

  /// `im2rec.py` knows no litter.
  private var keepsLitter: Bool {
    if case .im2rec = layout { true } else { false }
  }

  /// A folder whose files are listed and whose folders are being walked.
  private struct Level {
    /// Relative to the root; empty for the root itself.
    let path: String
    let identity: FolderIdentity
    /// Still to be walked, the next one last.
    var folders: [String]
    let folderProblems: [FolderListing.Problem]
    /// The folder's own name is that of an image.
    let isNamedAsImage: Bool
    let imageCountBefore: Int
  }

  /// Walked already: with class folders a folder that several links lead to is listed once, for its images would
  /// else stand on both sides of a split. `im2rec.py` lists it as often as it meets it.
  private var entered: [FolderIdentity: String]?

  mutating func listAsIm2rec(recursive: Bool) throws(FileError) {
    let listing = try self.listing("")
    addImages(of: listing, in: "", classIndex: nil)
    if recursive {
      try walk(from: level("", listing, imageCountBefore: 0), classIndex: nil)
    } else {
      for name in listing.folders where isImageName(name) { addProblem(name, Self.folderNotImage) }
    }
  }

  mutating func listImages() throws(FileError) {
    let listing = try self.listing("")
    scan.classes = ["."]
    addImages(of: listing, in: "", classIndex: 0)
    try walk(from: level("", listing, imageCountBefore: 0), classIndex: 0)
  }

  mutating func listClassFolders() throws(FileError) {
    var top = try listing("")
    entered = [top.identity: "."]
    for name in top.files where !isExcluded(name) { addProblem(name, "it lies in no class folder") }
    top.files = []
    addImages(of: top, in: "", classIndex: nil)
    for problem in top.folderProblems { addProblem(problem.name, problem.reason) }
    for name in top.folders where !isHidden(name) && !isExcluded(name) && !Task.isCancelled {
      let classIndex = scan.classes.count
      scan.classes.append(name)
      let before = scan.images.count
      othersOfClass = [:]
      if let folder = try enter(name, from: []) {
        addImages(of: folder, in: name, classIndex: classIndex)
        let direct = scan.images.count
        try walk(from: level(name, folder, imageCountBefore: before), classIndex: classIndex)
        scan.nestedImageCount += scan.images.count - direct
      }
      if scan.images.count == before {
        scan.emptyClasses.append(.init(name: name, passedOver: othersOfClass))
      }
    }
  }

  /// Walks the folders below `first`, whose own files are listed.
  /// - Parameter classIndex: the class of all images; `nil` to make one of each folder that holds any.
  private mutating func walk(from first: Level, classIndex: Int?) throws(FileError) {
    addFolderProblems(first)
    var levels = [first]
    while let last = levels.indices.last, !Task.isCancelled {
      guard let name = levels[last].folders.popLast() else {
        let done = levels.removeLast()
        if done.isNamedAsImage && done.imageCountBefore == scan.images.count {
          addProblem(done.path, Self.folderNotImage)
        }
        continue
      }
      let path = below(levels[last].path, name)
      if isHidden(name) || isExcluded(path) { continue }
      guard let folder = try enter(path, from: levels) else { continue }
      let before = scan.images.count
      addImages(of: folder, in: path, classIndex: classIndex)
      let level = level(path, folder, imageCountBefore: before)
      addFolderProblems(level)
      levels.append(level)
    }
  }
}

extension FolderWalk {
  private static let folderNotImage = "this is a folder, not an image"

  private func level(_ path: String, _ listing: FolderListing, imageCountBefore: Int) -> Level {
    Level(
      path: path, identity: listing.identity, folders: listing.folders.reversed(),
      folderProblems: listing.folderProblems, isNamedAsImage: isImageName(baseName(path)),
      imageCountBefore: imageCountBefore)
  }

  /// Reads a folder on the way down; `nil`, with a problem, if it cannot be read or was entered before.
  /// - Throws: where the machine is at fault, and the next folder would fare no better.
  private mutating func enter(_ path: String, from levels: [Level]) throws(FileError) -> FolderListing? {
    let folder: FolderListing
    do throws(FileError) {
      folder = try listing(path)
    } catch {
      if error.isOfMachine { throw error }
      addProblem(path, error.sentence)
      return nil
    }
    if let ancestor = levels.first(where: { $0.identity == folder.identity }) {
      addProblem(path, "it leads back to the folder it is in, \(shown(ancestor.path))")
      return nil
    }
    if let former = entered?[folder.identity] {
      addProblem(path, "it is the same folder as \(shown(former)), which is listed already")
      return nil
    }
    entered?[folder.identity] = path
    return folder
  }

  private func listing(_ path: String) throws(FileError) -> FolderListing {
    try FolderListing(
      path.isEmpty ? root : join(root, path), keepsLitter: keepsLitter, isImageName: isImageName)
  }

  /// - Parameter classIndex: `nil` to make a class of the folder when it holds an image.
  private mutating func addImages(of listing: FolderListing, in path: String, classIndex: Int?) {
    var classIndex = classIndex
    for problem in listing.imageProblems { addProblem(below(path, problem.name), problem.reason) }
    for name in listing.files {
      let image = below(path, name)
      if isExcluded(image) { continue }
      if classIndex == nil {
        classIndex = scan.classes.count
        scan.classes.append(path.isEmpty ? "." : path)
      }
      scan.images.append(.init(classIndex: classIndex ?? 0, path: image))
    }
    addOthers(of: listing, in: path, classIndex: layout == .classFolders ? classIndex : nil)
  }

  /// Counts what is not taken.
  private mutating func addOthers(of listing: FolderListing, in path: String, classIndex: Int?) {
    if scan.litterCount == 0, let first = listing.litter.min(by: precedes) {
      scan.litterExample = below(path, first)
    }
    scan.litterCount += listing.litter.count
    for (kind, names) in listing.others {
      let left = patterns.isEmpty ? names : names.filter { !isExcluded(below(path, $0)) }
      guard let first = left.min(by: precedes) else { continue }
      var noted = others[kind] ?? Others(example: below(path, first), classIndex: classIndex)
      noted.count += left.count
      noted.areInOnePlace = noted.areInOnePlace && noted.classIndex == classIndex
      others[kind] = noted
      othersOfClass[kind, default: 0] += left.count
    }
  }

  /// What was not taken, images first; the example of each kind is looked into.
  var passedOver: [PassedOver] {
    others.map { kind, noted in
      let isNamed = isImageKind(kind)
      let content = isNamed ? nil : imageKind(ofFile: join(root, noted.example))
      return PassedOver(
        kind: kind, count: noted.count, example: noted.example, content: content,
        areImages: isNamed || content != nil,
        folder: noted.areInOnePlace ? noted.classIndex.map { scan.classes[$0] } : nil)
    }.sorted { ($0.areImages ? 0 : 1, $0.kind) < ($1.areImages ? 0 : 1, $1.kind) }
  }

  private mutating func addFolderProblems(_ level: Level) {
    for problem in level.folderProblems { addProblem(below(level.path, problem.name), problem.reason) }
  }

  private mutating func addProblem(_ path: String, _ reason: String) {
    scan.problems.append(.init(path: printable(path.utf8), reason: reason))
  }

  private func below(_ path: String, _ name: String) -> String { path.isEmpty ? name : path + "/" + name }

  private func shown(_ path: String) -> String { path.isEmpty ? "." : printable(path.utf8) }

  /// Counts what it finds hidden.
  private mutating func isHidden(_ name: String) -> Bool {
    guard !keepsLitter && name.utf8.first == UInt8(ascii: ".") else { return false }
    scan.hiddenFolderCount += 1
    return true
  }

  /// Counts what it finds excluded.
  private mutating func isExcluded(_ path: String) -> Bool {
    var result = false
    for index in patterns.indices where unsafe fnmatch(patterns[index], path, 0) == 0 {
      isMatched[index] = true
      result = true
    }
    if result { scan.excludedCount += 1 }
    return result
  }

  /// Whether Python's `splitext(name)[1].lower()` is one of the extensions.
  private func isImageName(_ name: String) -> Bool {
    let bytes = name.utf8.span
    var dot = bytes.count - 1
    while dot >= 0 && bytes[dot] != UInt8(ascii: ".") { dot -= 1 }
    guard dot > 0 else { return false }
    // Leading dots belong to the name.
    guard (0..<dot).contains(where: { bytes[$0] != UInt8(ascii: ".") }) else { return false }
    let suffix = bytes.extracting(dot..<bytes.count)
    if suffix.indices.contains(where: { suffix[$0] >= 0x80 }) {
      let lower = splitExtension(name).suffix.lowercased()
      return extensions.contains { $0.elementsEqual(lower.utf8) }
    }
    return extensions.contains { wanted in
      guard wanted.count == suffix.count else { return false }
      return wanted.indices.allSatisfy { index in
        let byte = suffix[index]
        let isUpper = byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z")
        return wanted[index] == (isUpper ? byte | 0x20 : byte)
      }
    }
  }
}
