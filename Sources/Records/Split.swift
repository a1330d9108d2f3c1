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
