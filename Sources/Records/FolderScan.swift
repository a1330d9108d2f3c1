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
    /// in folders below belong to it. Folders whose names begin with a dot (`.git`, `.ipynb_checkpoints`) are passed
    /// over, and counted.
    case classFolders
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

  public static let standardExtensions: Set<String> = [".jpeg", ".jpg", ".png"]

  /// The names, in label order.
  public var classes: [String] = []
  /// In walk order: the place is the id an unshuffled list gives.
  public var images: [Image] = []
  public var problems: [Problem] = []
  /// Class folders without an image, which keep their label. Only with `.classFolders`.
  public var emptyClasses: [String] = []
  /// Images in a folder below their class folder. Only with `.classFolders`.
  public var nestedImageCount = 0
  /// Folders passed over because their names begin with a dot. Only with `.classFolders`.
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
  /// - Throws: where the root cannot be read; `.noClassFolder`. What is wrong further down is a problem, not an error.
  public init(
    root: String, layout: Layout, extensions: Set<String> = standardExtensions, excluding: [String] = []
  ) throws(ScanError) {
    var walk = FolderWalk(root: root, extensions: extensions, patterns: excluding)
    do throws(FileError) {
      switch layout {
      case .im2rec(let recursive): try walk.listAsIm2rec(recursive: recursive)
      case .classFolders: try walk.listClassFolders()
      }
    } catch {
      throw ScanError(.file(error), path: root)
    }
    self = walk.scan
    unmatchedPatterns = walk.unmatchedPatterns
    if layout == .classFolders && classes.isEmpty { throw ScanError(.noClassFolder, path: root) }
  }

  /// Images of each class, in label order.
  public var imageCounts: [Int] {
    var counts = [Int](repeating: 0, count: classes.count)
    for image in images { counts[image.classIndex] += 1 }
    return counts
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
