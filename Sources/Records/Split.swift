public import Files

/// How the images of a scan are divided.
public enum Split: Hashable, Sendable {
  /// That many images of each class, chosen at random, are training, the rest validation, as MXNet's Caltech-256
  /// script does. A class with no more images than that is an error, unless small classes are allowed: then
  /// one image at least stays for validation.
  case perClass(Int, allowSmallClasses: Bool)
  /// Shares of each class, from 0 to 1, together at most 1; what is missing to 1 is left out, and said.
  case ratios(train: Double, validation: Double, test: Double)
  /// Each class in that many equal parts; fold k validates on part k and trains on the others.
  case folds(Int)

  /// The ratios where not all are given: the first of train, validation that is missing gets what is left, the
  /// others nothing. So `--train-ratio 0.8` alone leaves 0.2 for validation; where train and validation are given,
  /// nothing is added.
  public static func completedRatios(train: Double?, validation: Double?, test: Double?) -> Split {
    let rest = max(0, 1 - (train ?? 0) - (validation ?? 0) - (test ?? 0))
    return .ratios(
      train: train ?? rest, validation: validation ?? (train == nil ? 0 : rest), test: test ?? 0)
  }
}

/// One list of a split.
public struct SplitPart: Hashable, Sendable {
  /// What stands behind the prefix in file names: "60-train", "60-val"; "train", "val", "test"; "fold0-train", ...
  /// Empty for the list of everything.
  public var name: String
  /// Indices into the scan's images, in walk order.
  public var images: [Int]

  public init(name: String, images: [Int]) {
    self.name = name
    self.images = images
  }

  /// All images of a scan.
  public static func everything(in scan: FolderScan) -> SplitPart {
    SplitPart(name: "", images: Array(scan.images.indices))
  }
}

/// The lists of a split, and what its user should know.
public struct SplitPlan: Hashable, Sendable {
  public var parts: [SplitPart]
  public var warnings: [SplitWarning]
}

/// Divides the images of a scan by class.
///
/// The choice within a class depends on the seed, the class's name and its images alone, so another class more or
/// less changes nothing (`.ratios` and `.folds` may move one image, to keep the totals right; groups that span
/// classes tie these together).
///
/// `.ratios`: in each class, and over all, a part has its share rounded up or down. A class with at least as many
/// images as there are parts has one in each, and the totals are then those that this leaves.
/// - Parameters:
///   - groups: images of one group never land on both sides, whatever their classes; counts then differ, and the
///     warnings say by how much.
/// - Throws: `.smallClasses`, which names them all; `.noImages`; a count or ratio out of range.
/// - Complexity: O(images), with groups O(images log images); about 20 bytes an image.
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

/// The entries of a list, as `im2rec.py --list` writes them for a folder that holds these images only: ids 0, 1, 2...
/// in walk order, then shuffled. The labels are those of the whole scan.
///
/// - Parameter shuffleSeed: the seed of Python's `random`, in `im2rec.py` 100; `nil` leaves the walk order.
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

/// Classes that have images, but none in a part which has some of other classes.
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

/// Which images belong together, for example the frames of one film: they stay on one side of a split.
public struct ImageGroups: Hashable, Sendable {
  /// Paths and names are kept as bytes: as strings, different spellings of an accent would be one key.
  private(set) var groupOfPath: [[UInt8]: [UInt8]] = [:]

  /// - Parameter pairs: paths relative to the root, each with the name of its group. Of a repeated path the last
  ///   counts.
  public init(_ pairs: some Sequence<(String, String)>) {
    for (path, group) in pairs { groupOfPath[Array(path.utf8)] = Array(group.utf8) }
  }

  /// Reads a file of lines `path TAB group`. Blank lines and CRLF are no error.
  ///
  /// - Throws: `.badGroupLine` for any other line, and for a path that is given two groups; `.file`.
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
  public struct ClassCount: Hashable, Sendable {
    public var name: String
    public var imageCount: Int
  }
  public enum Reason: Hashable, Sendable {
    /// These classes have no more images than are asked for training.
    case smallClasses(perClass: Int, [ClassCount])
    case noImages
    /// Fewer than 1 image a class for training.
    case badPerClass(Int)
    /// Fewer than 2 folds.
    case badFolds(Int)
    /// A ratio outside 0...1, all of them 0, or a sum above 1.
    case badRatios(train: Double, validation: Double, test: Double)
    /// A line of a groups file.
    case badGroupLine(path: String, line: Int, reason: String)
    case file(FileError)
  }
  public let reason: Reason

  public init(_ reason: Reason) { self.reason = reason }

  public var description: String {
    switch reason {
    case .smallClasses(let wanted, let classes):
      "\(wanted) images of each class are asked for training, which leaves none for validation in: "
        + shortList(classes.map { "\(printable($0.name.utf8)) (\($0.imageCount))" })
    case .noImages: "there are no images to divide"
    case .badPerClass(let count):
      "\(count) images of each class are asked for training; at least 1 is expected"
    case .badFolds(let count): "\(count) folds are asked for; at least 2 are expected"
    case .badRatios(let train, let validation, let test):
      "the ratios are \(train) for training, \(validation) for validation and \(test) for test; "
        + "numbers from 0 to 1 are expected, which are together more than 0 and at most 1"
    case .badGroupLine(let path, let line, let reason): "\(path): line \(line): \(reason)"
    case .file(let error): error.description
    }
  }
}

/// What a user should know about a split that was made.
public enum SplitWarning: Hashable, Sendable, CustomStringConvertible {
  /// A class with fewer images than asked for, which was allowed.
  case smallClass(name: String, imageCount: Int, trainCount: Int)
  /// The ratios add up to less than 1.
  case leftOut(imageCount: Int)
  /// The class has images, but the part has none of them.
  case classMissing(name: String, part: String)
  /// Keeping groups together made a class's part larger or smaller than asked for.
  case groupsChangedCount(name: String, part: String, wanted: Int, got: Int)
  /// Images which the groups file does not name: each was a group of its own.
  case ungrouped(imageCount: Int, example: String)
  /// Paths of the groups file which are no image of the scan.
  case unknownGroupPaths(count: Int, example: String)

  public var description: String {
    switch self {
    case .smallClass(let name, let imageCount, let trainCount):
      "class \(printable(name.utf8)) has \(imageCount) images: \(trainCount) are training, "
        + "\(imageCount - trainCount) validation"
    case .leftOut(let imageCount): "\(imageCount) images are in no list, for the ratios add up to less than 1"
    case .classMissing(let name, let part): "class \(printable(name.utf8)) has no image in \(part)"
    case .groupsChangedCount(let name, let part, let wanted, let got):
      "class \(printable(name.utf8)) has \(got) images in \(part) instead of \(wanted), to keep groups together"
    case .ungrouped(let count, let example):
      "\(count) images have no group and stand alone, for example \(printable(example.utf8))"
    case .unknownGroupPaths(let count, let example):
      "\(count) paths of the groups file are no image here, for example \(printable(example.utf8))"
    }
  }
}
