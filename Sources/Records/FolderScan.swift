public import Files

/// The classes and images below a folder, in the order in which `im2rec.py` lists them.
///
/// Names are compared by code point and never normalized. A folder's files come first, then its subfolders, each
/// followed by its own entries; symbolic links to folders are followed. Image files are not opened, so whether they
/// hold images is found out only when they are packed.
///
/// - Complexity: one pass, O(images log(images of a folder)); about 100 bytes per image, plus the length of its path.
public struct FolderScan: Sendable {
  /// How folders become classes.
  public enum Layout: Hashable, Sendable {
    /// As `im2rec.py --list`. If recursive, every folder that itself holds an image is a class, numbered when its
    /// first image is met and named by its path ("." for the root). Otherwise only the root's own files are listed,
    /// as one class.
    case im2rec(recursive: Bool)
    /// Every folder directly in the root is a class, even if it is empty; classes are numbered in code-point order.
    /// Images in deeper folders belong to the class too. Litter and hidden folders (their names begin with a dot) are
    /// skipped and counted.
    case classFolders
    /// All images below the root, as class 0, whatever their folders are called. A folder to which several links lead
    /// is listed several times. Litter and hidden folders are skipped as with `.classFolders`.
    case images
  }

  /// One image file of the scan.
  public struct Image: Hashable, Sendable {
    /// The index of its class in `classes`, which is its label.
    public var classIndex: Int
    /// Relative to the root, as in a list.
    public var path: String

    /// An image of the class with this index.
    public init(classIndex: Int, path: String) {
      self.classIndex = classIndex
      self.path = path
    }
  }

  /// A file or folder that looks as if it should have been listed, but cannot be.
  public struct Problem: Hashable, Sendable {
    /// Relative to the root, made printable.
    public var path: String
    /// A sentence without the path: "this link leads nowhere".
    public var reason: String
  }

  /// A class folder without an image.
  public struct EmptyClass: Hashable, Sendable {
    /// The name of its folder.
    public var name: String
    /// How many other files lie below it, by suffix (see `PassedOver.kind`).
    public var passedOver: [String: Int]
  }

  /// The names of the classes; the index of a class is its label.
  public var classes: [String] = []
  /// In the order of the walk; the index of an image is its id in an unshuffled list.
  public var images: [Image] = []
  /// Files and folders that could not be listed, in the order of the walk.
  public var problems: [Problem] = []
  /// Class folders without an image; they keep their labels. Only with `.classFolders`.
  public var emptyClasses: [EmptyClass] = []
  /// Files that were not listed, one entry per kind; kinds of images come first.
  public var passedOver: [PassedOver] = []
  /// How many files and folders were skipped as litter (see `isLitter`). 0 with `.im2rec`, which lists them as
  /// `im2rec.py` does.
  public var litterCount = 0
  /// The path of the first litter; empty where there is none.
  public var litterExample = ""
  /// How many images lie in a folder below their class folder. Only with `.classFolders`.
  public var nestedImageCount = 0
  /// How many folders were skipped because their names begin with a dot. 0 with `.im2rec`.
  public var hiddenFolderCount = 0
  /// How many folders and images `excluding` left out.
  public var excludedCount = 0
  /// The patterns of `excluding` that matched nothing.
  public var unmatchedPatterns: [String] = []

  /// A scan of images that are known already.
  public init(classes: [String], images: [Image]) {
    self.classes = classes
    self.images = images
  }

  /// Walks the folder `root`.
  ///
  /// In a cancelled task the walk ends early, with some of the images: check for cancellation before using them.
  ///
  /// - Parameters:
  ///   - extensions: in lower case, with the dot. A file's extension is `splitext(name)[1].lower()` of Python.
  ///   - excluding: shell patterns for paths relative to the root; `*` matches `/` too. Matching folders and images are
  ///     left out before labels are assigned.
  /// - Throws: `.file` where the root cannot be read, is moved or removed meanwhile, or the disk fails;
  ///   `.noClassFolder`. A fault of one file or folder further down is *not* an error: it is listed in `problems`.
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
      // If the root was removed, its folders would look like single folders that are missing.
      try start.check()
    } catch {
      throw ScanError(.file(error), path: root)
    }
    self = walk.scan
    unmatchedPatterns = walk.unmatchedPatterns
    passedOver = walk.passedOver
    if layout == .classFolders && classes.isEmpty { throw ScanError(.noClassFolder, path: root) }
  }

  /// How many images each class has, in label order.
  ///
  /// - Complexity: O(images).
  public var imageCounts: [Int] {
    var counts = [Int](repeating: 0, count: classes.count)
    for image in images { counts[image.classIndex] += 1 }
    return counts
  }
}

/// Files of one kind that a scan did not list: they are no images, or images in a format that is not read.
public struct PassedOver: Codable, Hashable, Sendable {
  /// The suffix in lower case, ".webp"; empty where the names have none.
  public var kind: String
  /// How many files there are.
  public var count: Int
  /// The path of the first such file, relative to the root.
  public var example: String
  /// The image format of the example where its suffix is not that of an image: "a JPEG image".
  public var content: String?
  /// Whether the suffix is that of an image, or the example is an image by its first bytes.
  public var areImages: Bool
  /// The class folder that all of them lie in; nil where they lie in several places.
  public var folder: String?

  /// "crab: 2 .webp files were passed over, e.g. crab/7.webp"
  public var sentence: String {
    let place = folder.map { printable($0.utf8) + ": " } ?? ""
    let verb = count == 1 ? "was" : "were"
    let words = "\(place)\(Self.words(count, of: kind)) \(verb) passed over, e.g. \(printable(example.utf8))"
    return content.map { words + ", which is \($0)" } ?? words
  }

  /// "2 .webp files", "1 file without a suffix"
  public static func words(_ count: Int, of kind: String) -> String {
    let files = count == 1 ? "file" : "files"
    return kind.isEmpty ? "\(count) \(files) without a suffix" : "\(count) \(kind) \(files)"
  }
}

/// Why a folder cannot be listed at all.
public struct ScanError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What can be wrong.
  public enum Reason: Hashable, Sendable {
    /// The root contains no folder that could be a class.
    case noClassFolder
    /// A file or folder could not be read; its own path is in the error.
    case file(FileError)
  }
  /// What is wrong.
  public let reason: Reason
  /// The root of the scan.
  public let path: String

  /// An error of the scan of `path`.
  public init(_ reason: Reason, path: String) {
    self.reason = reason
    self.path = path
  }

  /// The path and the reason.
  public var description: String {
    switch reason {
    case .noClassFolder: "\(path): there is no class folder here; one folder for each class is expected"
    case .file(let error): error.description
    }
  }
}
