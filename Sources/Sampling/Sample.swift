import Imaging

/// What the drawn data set is to hold.
public struct SampleOptions: Hashable, Sendable {
  /// Another seed, other pictures; the same seed, the same bytes.
  public var seed = 1
  /// How many classes, of at most `SampleOptions.largestClassCount`.
  public var classCount = SampleOptions.largestClassCount
  /// About how many pictures in each: between an eighth fewer and a quarter more.
  public var imagesPerClass = 80
  /// Bounds of a picture's longer side, in pixels.
  public var sides = 120...500
  /// Adds a JPEG that is cut short and a text file with the name of one.
  public var includesBroken = true

  public static let largestClassCount = Subject.allCases.count

  public init() {}
}

/// What was written.
public struct SampleSummary: Hashable, Sendable, Codable {
  /// Names of the class folders, in order.
  public var classes: [String] = []
  /// Sound pictures, the broken files not counted.
  public var images = 0
  /// Of all files.
  public var bytes = 0
  /// Files that no reader should take, relative to the folder.
  public var broken: [String] = []
}

/// Why no data set was written.
public struct SampleError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable { case notEmpty, notAFolder }
  public let reason: Reason
  public let path: String

  init(_ reason: Reason, path: String) {
    self.reason = reason
    self.path = path
  }

  public var description: String {
    switch reason {
    case .notEmpty: "\(path): the folder is not empty; a new or an empty one is expected"
    case .notAFolder: "\(path): this is a file, not a folder"
    }
  }
}

/// Draws a data set such as Caltech-256: class folders `001.bus`, `002.butterfly`, ... of `001_0001.jpg`, ...
///
/// The pictures vary in size, shape, colour, background, place, turn and clutter. Most are JPEG of various quality;
/// some are PNG, and some JPEG are grey, CMYK, progressive, or stored turned with an EXIF note. Two pairs of
/// classes are hard to tell apart on purpose (see `Subject`).
///
/// - Parameters:
///   - folder: made, with those above it; it must not be there, or be empty. It appears when all is written.
///   - progress: called after each picture with how many are done and how many there will be.
/// - Throws: `SampleError`; `FileError`. Nothing is left under the folder's name then.
/// - Complexity: about 5 ms for each picture on one core.
public func writeSample(
  to folder: String, options: SampleOptions, progress: (Int, Int) -> Void
) throws -> SampleSummary {
  checkRange(of: options)
  var output = try StagedFolder(folder)
  let summary: SampleSummary
  do {
    summary = try fill(&output, options, progress)
  } catch {
    output.discard()
    throw error
  }
  try output.publish()
  return summary
}

func checkRange(of options: SampleOptions) {
  precondition(
    (1...SampleOptions.largestClassCount).contains(options.classCount), "there are that many classes")
  precondition((1...9000).contains(options.imagesPerClass), "file names have four digits")
  precondition((16...4096).contains(options.sides.lowerBound), "a subject needs 16 pixels to be seen")
  precondition(options.sides.upperBound <= 4096, "a picture is held in memory")
}

/// The folder of a class and the paths of its sound pictures.
func picturePaths(_ label: Int, _ options: SampleOptions) -> (folder: String, pictures: [String]) {
  let folder = folderName(label)
  let pictures = (0..<pictureCount(label, options)).map { index in
    var chance = Chance(seed: UInt64(bitPattern: Int64(options.seed)), label, index)
    return path(folder, label, index, Kind(class: label, index: index, &chance).suffix)
  }
  return (folder, pictures)
}

private func folderName(_ label: Int) -> String {
  padded(label + 1, 3) + "." + Subject.allCases[label].rawValue
}

private func pictureCount(_ label: Int, _ options: SampleOptions) -> Int {
  var chance = Chance(seed: UInt64(bitPattern: Int64(options.seed)), label)
  let count = options.imagesPerClass
  return chance.integer((count - count / 8)...(count + count / 4))
}

private func fill(
  _ output: inout StagedFolder, _ options: SampleOptions, _ progress: (Int, Int) -> Void
) throws -> SampleSummary {
  let subjects = Array(Subject.allCases.prefix(options.classCount))
  var counts = subjects.indices.map { pictureCount($0, options) }
  let total = counts.reduce(0, +)
  var summary = SampleSummary()
  for (label, subject) in subjects.enumerated() {
    let name = folderName(label)
    try output.makeSubfolder(name)
    summary.classes.append(name)
    for index in 0..<counts[label] {
      var chance = Chance(seed: UInt64(bitPattern: Int64(options.seed)), label, index)
      let kind = Kind(class: label, index: index, &chance)
      let file = try photograph(subject, as: kind, sides: options.sides, &chance)
      try output.write(file, to: path(name, label, index, kind.suffix))
      summary.images += 1
      summary.bytes += file.count
      progress(summary.images, total)
    }
  }
  guard options.includesBroken else { return summary }
  for (label, file) in try brokenFiles(subjects, options) {
    let path = path(summary.classes[label], label, counts[label], ".jpg")
    counts[label] += 1
    try output.write(file, to: path)
    summary.broken.append(path)
    summary.bytes += file.count
  }
  return summary
}

/// A JPEG that was not copied to its end, in the middle class, and a text file named like one, in the last.
private func brokenFiles(
  _ subjects: [Subject], _ options: SampleOptions
) throws(ImageError) -> [(label: Int, file: [UInt8])] {
  let middle = subjects.count / 2
  var chance = Chance(seed: UInt64(bitPattern: Int64(options.seed)), middle, -1)
  let whole = try photograph(subjects[middle], as: .jpeg(progressive: false), sides: options.sides, &chance)
  let text = "This text has the name of a photograph, but it is none.\n"
  return [(middle, Array(whole.prefix(whole.count / 2))), (subjects.count - 1, Array(text.utf8))]
}

/// Caltech's way to name a file: `<class>_<number>`, both from 1.
private func path(_ folder: String, _ label: Int, _ index: Int, _ suffix: String) -> String {
  folder + "/" + padded(label + 1, 3) + "_" + padded(index + 1, 4) + suffix
}

private func padded(_ number: Int, _ digitCount: Int) -> String {
  let digits = String(number)
  return String(repeating: "0", count: max(digitCount - digits.count, 0)) + digits
}
