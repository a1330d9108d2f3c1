public import Files

/// The classes and images below a folder, in the order in which `im2rec.py` lists them.
///
/// Names are compared by code point and never normalised. Inside a folder the files come first, then its folders,
/// each followed by what is in it; links to folders are followed. Image files are not opened: what is in them is
/// found out by who packs them.
///
/// Cost: one pass, O(images log(images of a folder)); about 100 bytes an image and the length of its path.
public struct FolderScan: Sendable {
  public enum Layout: Hashable, Sendable {
    /// As `im2rec.py --list`: recursive, every folder that holds an image itself is a class, numbered when its
    /// first image is met, and named by its path ("." for the root); otherwise the root's files only, of one class.
    case im2rec(recursive: Bool)
    /// Every folder directly in the root is a class, numbered in code-point order, also if it is empty; images
    /// in folders below belong to it. Litter, and folders whose names begin with a dot, are passed over, and counted.
    case classFolders
    /// The images below the root, all of class 0, whatever their folders are called; links to folders are followed
    /// as often as they are met. Litter and hidden folders are passed over as with `.classFolders`.
    case images
  }

  public struct Image: Hashable, Sendable {
    /// The label.
    public var classIndex: Int
    /// Relative to the root, as a list has it.
    public var path: String

    public init(classIndex: Int, path: String) {
      self.classIndex = classIndex
      self.path = path
    }
  }

  /// Something that looks as if it should have been listed, but cannot be.
  public struct Problem: Hashable, Sendable {
    /// Relative to the root, made printable.
    public var path: String
    public var reason: String
  }

  /// A class folder without an image.
  public struct EmptyClass: Hashable, Sendable {
    public var name: String
    /// Files below it that were passed over, by kind.
    public var passedOver: [String: Int]
  }

  /// The names, in label order.
  public var classes: [String] = []
  /// In walk order: the place is the id an unshuffled list gives.
  public var images: [Image] = []
  public var problems: [Problem] = []
  /// Class folders without an image, which keep their label. Only with `.classFolders`.
  public var emptyClasses: [EmptyClass] = []
  /// Files that were not taken, one entry a kind; images first.
  public var passedOver: [PassedOver] = []
  /// Files and folders that systems and editors leave behind. None with `.im2rec`, which takes them as im2rec.py does.
  public var litterCount = 0
  /// The first of them met.
  public var litterExample = ""
  /// Images in a folder below their class folder. Only with `.classFolders`.
  public var nestedImageCount = 0
  /// Folders passed over because their names begin with a dot. None with `.im2rec`.
  public var hiddenFolderCount = 0
  /// Folders and images left out by `excluding`.
  public var excludedCount = 0
  /// Patterns of `excluding` which nothing matched.
  public var unmatchedPatterns: [String] = []

  /// A scan made by hand.
  public init(classes: [String], images: [Image]) {
    self.classes = classes
    self.images = images
  }

  /// Walks the folder.
  ///
  /// - Parameters:
  ///   - extensions: lower case, with the dot. The extension is what Python's `splitext(name)[1].lower()` gives.
  ///   - excluding: shell patterns for paths relative to the root (`*` also stands for `/`); what matches, a class
  ///     folder for example, is left out before labels are given.
  /// In a cancelled task it ends early, with a part of the images: check for cancellation before using them.
  /// - Throws: where the root cannot be read, or is moved or removed meanwhile, or the disk fails; `.noClassFolder`.
  ///   What is wrong with one file or folder further down is a problem, not an error.
  public init(
    root: String, layout: Layout, extensions: Set<String> = imageSuffixes, excluding: [String] = []
  ) throws(ScanError) {
    var walk: FolderWalk
    do throws(FileError) {
      let start = try InputRoot(root)
      walk = FolderWalk(root: root, layout: layout, extensions: extensions, patterns: excluding)
      switch layout {
      case .im2rec(let recursive): try walk.listAsIm2rec(recursive: recursive)
      case .classFolders: try walk.listClassFolders()
      case .images: try walk.listImages()
      }
      // What went away with the root would look like single missing folders.
      try start.check()
    } catch {
      throw ScanError(.file(error), path: root)
    }
    self = walk.scan
    unmatchedPatterns = walk.unmatchedPatterns
    passedOver = walk.passedOver
    if layout == .classFolders && classes.isEmpty { throw ScanError(.noClassFolder, path: root) }
  }

  /// Images of each class, in label order.
  public var imageCounts: [Int] {
    var counts = [Int](repeating: 0, count: classes.count)
    for image in images { counts[image.classIndex] += 1 }
    return counts
  }
}

/// Files of one kind that a scan did not take: they are no images, or images in a format that is not read.
public struct PassedOver: Codable, Hashable, Sendable {
  /// The suffix in lower case, ".webp"; empty where the names have none.
  public var kind: String
  public var count: Int
  /// The first one met; relative to the root.
  public var example: String
  /// What the example holds where its name does not say that it is an image: "a JPEG image".
  public var content: String?
  /// Whether they are images by their names, or the example is one by its first bytes.
  public var areImages: Bool
  /// The class folder in which all of them lie; nil where they lie in several places.
  public var folder: String?

  public var sentence: String {
    let place = folder.map { printable($0.utf8) + ": " } ?? ""
    let verb = count == 1 ? "was" : "were"
    let words = "\(place)\(Self.words(count, of: kind)) \(verb) passed over, e.g. \(printable(example.utf8))"
    return content.map { words + ", which is \($0)" } ?? words
  }

  /// "2 .webp files", "1 file without a suffix".
  public static func words(_ count: Int, of kind: String) -> String {
    let files = count == 1 ? "file" : "files"
    return kind.isEmpty ? "\(count) \(files) without a suffix" : "\(count) \(kind) \(files)"
  }
}

/// Why a folder cannot be listed at all.
public struct ScanError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable {
    /// The root holds no folder that could be a class.
    case noClassFolder
    case file(FileError)
  }
  public let reason: Reason
  public let path: String

  public init(_ reason: Reason, path: String) {
    self.reason = reason
    self.path = path
  }

  public var description: String {
    switch reason {
    case .noClassFolder: "\(path): there is no class folder here; one folder for each class is expected"
    case .file(let error): error.description
    }
  }
}
