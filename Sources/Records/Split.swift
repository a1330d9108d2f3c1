public import Files

/// How the images of a scan are split.
public enum Split: Hashable, Sendable {
  /// That many images of each class, chosen at random, are for training and the rest for validation, as in MXNet's
  /// script for Caltech-256. A class with no more images than that is an error, unless small classes are allowed:
  /// then at least one image is kept for validation.
  case perClass(Int, allowSmallClasses: Bool)
  /// Shares of each class, from 0 to 1, together at most 1. If they add up to less, the remaining images are left
  /// out, and a warning says so.
  case ratios(train: Double, validation: Double, test: Double)
  /// Each class is cut into that many equal parts; fold k validates on part k and trains on the others.
  case folds(Int)

  /// Completes ratios of which some are missing: the rest goes to training or, if that is given, to validation; the
  /// others get nothing. A training ratio of 0.8 alone gives 0.2 to validation. Where both are given, nothing is
  /// added.
  public static func completedRatios(train: Double?, validation: Double?, test: Double?) -> Split {
    let rest = max(0, 1 - (train ?? 0) - (validation ?? 0) - (test ?? 0))
    return .ratios(
      train: train ?? rest, validation: validation ?? (train == nil ? 0 : rest), test: test ?? 0)
  }
}

/// One list of a split.
public struct SplitPart: Hashable, Sendable {
  /// What follows the prefix in file names: "60-train", "60-val"; "train", "val", "test"; "fold0-train", ... Empty
  /// for the list of all images.
  public var name: String
  /// Indices into the images of the scan, in the order of the walk.
  public var images: [Int]

  /// A part with these images.
  public init(name: String, images: [Int]) {
    self.name = name
    self.images = images
  }

  /// A single part with all images of a scan.
  public static func everything(in scan: FolderScan) -> SplitPart {
    SplitPart(name: "", images: Array(scan.images.indices))
  }
}

/// The lists of a split, and warnings for the user.
public struct SplitPlan: Hashable, Sendable {
  /// The parts, in the order in which their lists are written.
  public var parts: [SplitPart]
  /// What the user should know.
  public var warnings: [SplitWarning]
}

/// Splits the images of a scan, class by class.
///
/// Which images of a class are chosen depends only on the seed, the class's name and its images, so adding or
/// removing another class changes nothing. There are two exceptions: `.ratios` and `.folds` may move one image to
/// keep the totals right, and groups that span several classes tie these together.
///
/// With `.ratios`, a part gets its share of each class, and of the total, rounded up or down. A class with at least
/// as many images as there are parts has one in each, and the totals are rounded after that.
///
/// - Parameters:
///   - groups: images of one group are never separated, whatever their classes. Counts may then differ from those asked
///     for, and warnings say by how much.
/// - Throws: `.smallClasses`, which names them all; `.noImages`; `.badPerClass`, `.badFolds` or `.badRatios`.
/// - Complexity: O(images), with groups O(images log images); about 20 bytes per image.
public func split(_ scan: FolderScan, by rule: Split, seed: Int, groups: ImageGroups? = nil)
  throws(SplitError) -> SplitPlan
{
  if scan.images.isEmpty { throw SplitError(.noImages) }
  let bins = try SplitBins(rule, scan.imageCounts, names: scan.classes)
  var warnings = bins.warnings
  let assignment = BinAssignment(scan, bins, seed: seed, groups: groups)
  warnings += assignment.warnings
  let parts = bins.parts.map { part in
    SplitPart(
      name: part.name,
      images: scan.images.indices.filter { part.bins.contains(Int(assignment.binOfImage[$0])) })
  }
  return SplitPlan(parts: parts, warnings: warnings + missingClasses(scan, parts))
}

/// The entries of a list, as `im2rec.py --list` writes them for a folder with only these images: ids 0, 1, 2... in
/// the order of the walk, then shuffled. The labels are those of the whole scan.
///
/// - Parameter shuffleSeed: the seed of Python's `random`, which is 100 in `im2rec.py`; `nil` keeps the order of the
///   walk.
/// - Complexity: O(images).
public func listEntries(of part: SplitPart, in scan: FolderScan, shuffleSeed: Int? = 100) -> [ListEntry] {
  // One array of labels for each class, shared by its entries.
  let labels = scan.classes.indices.map { [Double($0)] }
  var entries = part.images.enumerated().map { id, index in
    let image = scan.images[index]
    return ListEntry(id: UInt64(id), labels: labels[image.classIndex], path: image.path)
  }
  if let shuffleSeed {
    var generator = MersenneTwister(seed: shuffleSeed)
    generator.shuffle(&entries)
  }
  return entries
}

/// A warning for each class that has images, but none in one of the parts.
private func missingClasses(_ scan: FolderScan, _ parts: [SplitPart]) -> [SplitWarning] {
  let counts = scan.imageCounts
  return parts.flatMap { part in
    var isHere = [Bool](repeating: false, count: counts.count)
    for index in part.images { isHere[scan.images[index].classIndex] = true }
    return counts.indices.filter { counts[$0] > 0 && !isHere[$0] }.map {
      SplitWarning.classMissing(name: scan.classes[$0], part: part.name)
    }
  }
}

/// Which images belong together, for example the frames of one film: a split never separates them.
public struct ImageGroups: Hashable, Sendable {
  /// Paths and names are kept as bytes: as strings, different encodings of an accent would be one key.
  private(set) var groupOfPath: [[UInt8]: [UInt8]] = [:]

  /// - Parameter pairs: paths relative to the root, each with the name of its group. If a path is repeated, its last
  ///   group counts.
  public init(_ pairs: some Sequence<(String, String)>) {
    for (path, group) in pairs { groupOfPath[Array(path.utf8)] = Array(group.utf8) }
  }

  /// Reads a file of lines `path TAB group`. Blank lines and CRLF are *not* errors.
  ///
  /// - Throws: `.badGroupLine` for any other line, and for a path with two groups; `.file`.
  /// - Complexity: O(file), which is held in memory.
  public init(path: String) throws(SplitError) {
    let bytes: [UInt8]
    do throws(FileError) {
      bytes = try readFile(path).bytes
    } catch {
      throw SplitError(.file(error))
    }
    var number = 0
    for var line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
      number += 1
      if line.last == UInt8(ascii: "\r") { line.removeLast() }
      if line.allSatisfy(isBlank) { continue }
      let fields = line.split(separator: UInt8(ascii: "\t"), omittingEmptySubsequences: false)
      guard fields.count == 2, fields.allSatisfy({ !$0.isEmpty }) else {
        let reason = "\"\(printable(line, limit: 80))\" is not a path, a tab and the name of a group"
        throw SplitError(.badGroupLine(path: path, line: number, reason: reason))
      }
      let former = groupOfPath.updateValue(Array(fields[1]), forKey: Array(fields[0]))
      guard former == nil || former == Array(fields[1]) else {
        let reason = "\"\(printable(fields[0], limit: 80))\" is in another group already"
        throw SplitError(.badGroupLine(path: path, line: number, reason: reason))
      }
    }
  }
}

/// Why a split cannot be made.
public struct SplitError: Error, Hashable, Sendable, CustomStringConvertible {
  /// A class and how many images it has.
  public struct ClassCount: Hashable, Sendable {
    public var name: String
    /// How many images the class has.
    public var imageCount: Int
  }
  /// What can be wrong.
  public enum Reason: Hashable, Sendable {
    /// These classes have no more images than are asked for training.
    case smallClasses(perClass: Int, [ClassCount])
    /// The scan has no images.
    case noImages
    /// Fewer than 1 image a class for training.
    case badPerClass(Int)
    /// Fewer than 2 folds.
    case badFolds(Int)
    /// A ratio outside 0...1, all of them 0, or a sum above 1.
    case badRatios(train: Double, validation: Double, test: Double)
    /// A line of a file of groups cannot be used; lines are counted from 1.
    case badGroupLine(path: String, line: Int, reason: String)
    /// The file of groups could not be read.
    case file(FileError)
  }
  /// What is wrong.
  public let reason: Reason

  /// An error for this reason.
  public init(_ reason: Reason) { self.reason = reason }

  public var description: String {
    switch reason {
    case .smallClasses(let wanted, let classes):
      "\(wanted) images of each class are asked for training, which leaves none for validation in: "
        + shortList(classes.map { "\(printable($0.name.utf8)) (\($0.imageCount))" })
    case .noImages: "there are no images to split"
    case .badPerClass(let count):
      "\(count) images of each class are asked for training; at least 1 is expected"
    case .badFolds(let count): "\(count) folds are asked for; at least 2 are expected"
    case .badRatios(let train, let validation, let test):
      "the ratios are \(train) for training, \(validation) for validation and \(test) for test; "
        + "numbers from 0 to 1 are expected, with a sum above 0 and at most 1"
    case .badGroupLine(let path, let line, let reason): "\(path): line \(line): \(reason)"
    case .file(let error): error.description
    }
  }
}

/// What a user should know about a split.
public enum SplitWarning: Hashable, Sendable, CustomStringConvertible {
  /// A class has no more images than are asked for training, which was allowed.
  case smallClass(name: String, imageCount: Int, trainCount: Int)
  /// The ratios add up to less than 1.
  case leftOut(imageCount: Int)
  /// The class has images, but the part has none of them.
  case classMissing(name: String, part: String)
  /// Keeping groups together made a class's part larger or smaller than asked for.
  case groupsChangedCount(name: String, part: String, wanted: Int, got: Int)
  /// Images that the file of groups does not name. Each was treated as a group of its own.
  case ungrouped(imageCount: Int, example: String)
  /// Paths in the file of groups that are not images of the scan.
  case unknownGroupPaths(count: Int, example: String)

  public var description: String {
    switch self {
    case .smallClass(let name, let imageCount, let trainCount):
      "class \(printable(name.utf8)) has \(imageCount) images: \(trainCount) are training, "
        + "\(imageCount - trainCount) validation"
    case .leftOut(let imageCount):
      "\(imageCount) images are in no list, because the ratios add up to less than 1"
    case .classMissing(let name, let part): "class \(printable(name.utf8)) has no image in \(part)"
    case .groupsChangedCount(let name, let part, let wanted, let got):
      "class \(printable(name.utf8)) has \(got) images in \(part) instead of \(wanted), to keep groups together"
    case .ungrouped(let count, let example):
      "\(count) images have no group and were assigned one by one, for example \(printable(example.utf8))"
    case .unknownGroupPaths(let count, let example):
      "\(count) paths of the groups file are not images here, for example \(printable(example.utf8))"
    }
  }
}
