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

/// Writes what two imagined classifiers say of the pictures of a drawn data set, to try scoring and comparing with.
///
/// `folder` gets `first/` and `second/`, each with `<class folder>/<picture>.out`, as SageMaker's batch transform
/// names and writes them: `{"prediction": [a probability for each class]}`. The two often agree, the second is right
/// a little more often, and both take cars for buses and flowers for stars more often than anything else. Nobody has
/// looked at a picture for this: the figures say nothing of any network.
///
/// - Parameters:
///   - folder: made, with those above it; it must not be there, or be empty. It appears when all is written.
///   - options: those of `writeSample`. The broken files have no output.
/// - Throws: `SampleError`; `FileError`. Nothing is left under the folder's name then.
/// - Complexity: two small files for each picture.
public func writeImaginedOutputs(to folder: String, options: SampleOptions) throws {
  checkRange(of: options)
  var output = try StagedFolder(folder)
  do {
    for (run, name) in ["first", "second"].enumerated() {
      try output.makeSubfolder(name)
      for label in 0..<options.classCount {
        let (classFolder, pictures) = picturePaths(label, options)
        try output.makeSubfolder("\(name)/\(classFolder)")
        for (index, picture) in pictures.enumerated() {
          let row = probabilities(label, index, run: run, options)
          let text = "{\"prediction\": [\(row.map { "\($0)" }.joined(separator: ", "))]}\n"
          try output.write(Array(text.utf8), to: "\(name)/\(picture).out")
        }
      }
    }
  } catch {
    output.discard()
    throw error
  }
  try output.publish()
}

/// Whole weights divided by their sum: the same digits on every machine.
private func probabilities(_ label: Int, _ index: Int, run: Int, _ options: SampleOptions) -> [Double] {
  var chance = Chance(seed: UInt64(bitPattern: Int64(options.seed)), label, index, 77)
  var weights = (0..<options.classCount).map { _ in chance.integer(1...9) }
  let luck = chance.real(0...1)
  var other = chance.integer(0...(options.classCount - 1))
  // Of five pictures one is seen otherwise by the second classifier.
  let isSeenAnew = chance.happens(0.2)
  let newLuck = chance.real(0...1)
  let seen = run == 1 && isSeenAnew ? newLuck : luck
  let share = 0.74 + (run == 1 ? 0.05 : 0) - 0.2 * Double(label % 4) / 4
  if seen > share && seen < share + 0.14, let twin = twin(of: label), twin < options.classCount {
    other = twin
  }
  let isRight = seen <= share || other == label
  let top = isRight ? chance.integer(20...700) : chance.integer(15...180)
  if isRight {
    weights[label] += top
  } else {
    weights[other] += top
    weights[label] += chance.integer(0...max(1, top * 3 / 4))
  }
  let sum = Double(weights.reduce(0, +))
  return weights.map { Double($0) / sum }
}

/// The class that is hard to tell from this one.
private func twin(of label: Int) -> Int? {
  let pairs: [Subject: Subject] = [.car: .bus, .bus: .car, .flower: .star, .star: .flower]
  let subjects = Subject.allCases
  return pairs[subjects[label]].flatMap { subjects.firstIndex(of: $0) }
}

/// Repeatable chance: SplitMix64, so that a picture depends on its seed alone, on every machine.
struct Chance {
  private var state: UInt64

  /// The chance of one picture, or of one class, apart from all others.
  init(seed: UInt64, _ place: Int...) {
    state = seed
    for number in place {
      state = next() ^ UInt64(truncatingIfNeeded: number) &* 0xd1b5_4a32_d192_ed03
    }
  }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    return mixed(state)
  }

  /// Evenly from `range`.
  mutating func real(_ range: ClosedRange<Double>) -> Double {
    let unit = Double(next() >> 11) * 0x1p-53
    return range.lowerBound + unit * (range.upperBound - range.lowerBound)
  }

  mutating func integer(_ range: ClosedRange<Int>) -> Int {
    // The range is short, so that the bias of a remainder is nothing.
    range.lowerBound + Int(next() >> 33) % (range.upperBound - range.lowerBound + 1)
  }

  mutating func happens(_ probability: Double) -> Bool { real(0...1) < probability }

  mutating func pick<T>(_ choices: [T]) -> T { choices[integer(0...(choices.count - 1))] }
}

/// SplitMix64's last step: each bit of the result depends on each bit of `value`.
func mixed(_ value: UInt64) -> UInt64 {
  var z = value
  z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
  z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
  return z ^ (z >> 31)
}
