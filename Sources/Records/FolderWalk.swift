import Files
import Glibc

/// The walk that makes a `FolderScan`: depth first, without recursion, one open folder at a time.
struct FolderWalk {
  private(set) var scan = FolderScan(classes: [], images: [])
  private let root: String
  private let layout: FolderScan.Layout
  /// As bytes, because a million names may be compared with them.
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

  /// Files of one kind that are not listed.
  private struct Others {
    var count = 0
    let example: String
    /// The class of the first one; nil for a file in the root.
    let classIndex: Int?
    var areInOnePlace = true
  }
  /// By suffix.
  private var others: [String: Others] = [:]
  /// Counts by suffix of the files below the class folder that is being walked.
  private var othersOfClass: [String: Int] = [:]

  /// `im2rec.py` has no notion of litter.
  private var keepsLitter: Bool {
    if case .im2rec = layout { true } else { false }
  }

  /// A folder whose files are listed and whose folders are being walked.
  private struct Level {
    /// Relative to the root; empty for the root itself.
    let path: String
    let identity: FolderIdentity
    /// The folders that are still to be walked, the next one last.
    var folders: [String]
    let folderProblems: [FolderListing.Problem]
    /// Whether the folder's own name ends as an image's.
    let isNamedAsImage: Bool
    let imageCountBefore: Int
  }

  /// The folders that were walked, by identity, with the path of the first visit. Only with class folders, where a
  /// folder that several links lead to is listed once: otherwise its images could land on both sides of a split.
  /// `im2rec.py` lists such a folder as often as it meets it.
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

  /// Walks the folders below `first`, whose own files are listed already.
  ///
  /// - Parameter classIndex: the class of all images; `nil` to make each folder with images a class.
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

  /// Reads a folder on the way down. Returns `nil`, and notes a problem, if it cannot be read or was entered before.
  ///
  /// - Throws: where the cause is the machine, so that the next folder would fail as well.
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

  /// Adds the images of one folder.
  ///
  /// - Parameter classIndex: `nil` to make the folder a class when it holds an image.
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

  /// Counts the files of one folder that are not listed.
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

  /// The files that were not listed, one entry per kind, images first. The first bytes of each example are read.
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

  /// Whether the folder is hidden; if so, counts it.
  private mutating func isHidden(_ name: String) -> Bool {
    guard !keepsLitter && name.utf8.first == UInt8(ascii: ".") else { return false }
    scan.hiddenFolderCount += 1
    return true
  }

  /// Whether a pattern excludes the path; if so, counts it.
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

/// Identifies a folder on disk, whichever path leads to it.
struct FolderIdentity: Hashable {
  let device: UInt64
  let node: UInt64
}

/// The entries of one folder, sorted by code point.
struct FolderListing {
  private enum Kind {
    case file, folder
    /// Something else, and a sentence that says what: "this is a FIFO, not an image".
    case other(String)
  }
  struct Problem {
    var name: String
    var reason: String
  }
  let identity: FolderIdentity
  /// Regular files, links followed, that are named as images.
  var files: [String] = []
  var folders: [String] = []
  /// Images that cannot be listed.
  var imageProblems: [Problem] = []
  /// Folders whose names cannot be written in a list.
  var folderProblems: [Problem] = []
  /// The names of all other files, unsorted, by suffix (see `suffixKind`).
  var others: [String: [String]] = [:]
  /// The names of litter, unsorted.
  var litter: [String] = []
  private let keepsLitter: Bool
  /// The first failure of the machine while an entry was examined.
  private var failure: FileError?

  /// Reads the folder in one pass. `stat` is called only where `readdir` does not tell the type of an entry.
  ///
  /// - Parameter keepsLitter: treat files and folders with the names of litter as any others.
  /// - Throws: where the folder cannot be opened or read, or the machine fails.
  init(_ path: String, keepsLitter: Bool, isImageName: (String) -> Bool) throws(FileError) {
    self.keepsLitter = keepsLitter
    guard let folder = unsafe opendir(path) else {
      throw FileError(.system(call: "open", code: errno), path: path)
    }
    defer { unsafe closedir(folder) }
    var info = stat()
    guard unsafe fstat(dirfd(folder), &info) == 0 else {
      throw FileError(.system(call: "stat", code: errno), path: path)
    }
    identity = FolderIdentity(device: UInt64(info.st_dev), node: UInt64(info.st_ino))
    while true {
      errno = 0
      guard let entry = unsafe readdir(folder) else { break }
      let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        unsafe [UInt8](bytes.prefix { $0 != 0 })
      }
      if name == [0x2e] || name == [0x2e, 0x2e] { continue }
      add(name, type: unsafe Int(entry.pointee.d_type), in: path, isImageName)
    }
    guard errno == 0 else { throw FileError(.system(call: "read", code: errno), path: path) }
    if let failure { throw failure }
    files.sort(by: precedes)
    folders.sort(by: precedes)
    imageProblems.sort { precedes($0.name, $1.name) }
    folderProblems.sort { precedes($0.name, $1.name) }
  }

  private mutating func add(_ bytes: [UInt8], type: Int, in path: String, _ isImageName: (String) -> Bool) {
    guard let name = String(validating: bytes, as: UTF8.self) else {
      let problem = Problem(name: printable(bytes), reason: "its name is not UTF-8, which a list has to be")
      if isImageName(String(decoding: bytes, as: UTF8.self)) {
        imageProblems.append(problem)
      } else if [Int(DT_DIR), Int(DT_LNK), Int(DT_UNKNOWN)].contains(type) {
        folderProblems.append(problem)
      } else {
        let name = printable(bytes)
        others[suffixKind(ofName: name), default: []].append(name)
      }
      return
    }
    let isImage = isImageName(name)
    if !keepsLitter && mayBeLitter(name, isImage) && isLitter(name) {
      // The lock file of this run, where outputs lie among the inputs, is not worth reporting.
      if !name.hasByteSuffix(".imrec.lock") { litter.append(name) }
      return
    }
    if !isImage && type == Int(DT_REG) {
      others[suffixKind(ofName: name), default: []].append(name)
      return
    }
    let kind = kind(type, of: join(path, name))
    switch (kind, fault(in: name)) {
    case (.folder, nil): folders.append(name)
    case (.folder, let fault?): folderProblems.append(Problem(name: printable(bytes), reason: fault))
    case (.file, nil) where isImage: files.append(name)
    case (.file, let fault?) where isImage:
      imageProblems.append(Problem(name: printable(bytes), reason: fault))
    case (.other(let what), _) where isImage:
      imageProblems.append(Problem(name: printable(bytes), reason: what))
    case (.file, _), (.other, _): others[suffixKind(ofName: name), default: []].append(name)
    }
  }

  /// A quick test that saves a million images the lookup: no litter is named as an image unless it begins with "." or
  /// "~".
  private func mayBeLitter(_ name: String, _ isImage: Bool) -> Bool {
    guard isImage, let first = name.utf8.first else { return true }
    return first == UInt8(ascii: ".") || first == UInt8(ascii: "~")
  }

  /// Why the name cannot be written in a line of a list; `nil` if it can.
  private func fault(in name: String) -> String? {
    for byte in name.utf8 {
      switch byte {
      case UInt8(ascii: "\n"): return "its name holds a line feed, which ends a list line"
      case UInt8(ascii: "\r"): return "its name holds a carriage return, which ends a list line"
      case UInt8(ascii: "\t"): return "its name holds a tab, which separates the fields of a list line"
      default: continue
      }
    }
    return nil
  }

  private mutating func kind(_ type: Int, of path: String) -> Kind {
    switch type {
    case Int(DT_REG): return .file
    case Int(DT_DIR): return .folder
    case Int(DT_FIFO): return .other("this is a FIFO, not an image")
    case Int(DT_SOCK): return .other("this is a socket, not an image")
    case Int(DT_CHR), Int(DT_BLK): return .other("this is a device, not an image")
    default: break
    }
    // A symbolic link, or a file system that does not report types.
    var info = stat()
    guard unsafe stat(path, &info) == 0 else {
      let code = errno
      if code == ENOENT { return .other("this link leads nowhere") }
      let error = FileError(.system(call: "open", code: code), path: path)
      if error.isOfMachine && failure == nil { failure = error }
      return .other(error.sentence)
    }
    switch info.st_mode & S_IFMT {
    case S_IFREG: return .file
    case S_IFDIR: return .folder
    case S_IFIFO: return .other("this is a FIFO, not an image")
    case S_IFSOCK: return .other("this is a socket, not an image")
    default: return .other("this is a device, not an image")
    }
  }
}
