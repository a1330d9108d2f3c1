import Imaging

/// What the sample data set contains.
public struct SampleOptions: Hashable, Sendable {
  /// The same seed gives the same bytes, another seed other pictures.
  public var seed = 1
  /// The number of classes, 1...`largestClassCount`.
  public var classCount = SampleOptions.largestClassCount
  /// The approximate number of pictures per class: between an eighth fewer and a quarter more. 1...9000.
  public var imagesPerClass = 80
  /// The range of a picture's longer side, in pixels, within 16...4096.
  public var sides = 120...500
  /// Whether to add a truncated JPEG, and a text file that is named as a JPEG.
  public var includesBroken = true

  /// The number of different subjects.
  public static let largestClassCount = Subject.allCases.count

  /// The defaults: 12 classes of about 80 pictures.
  public init() {}
}

/// What was written.
public struct SampleSummary: Hashable, Sendable, Codable {
  /// The names of the class folders, in order.
  public var classes: [String] = []
  /// The number of sound pictures, without the broken files.
  public var images = 0
  /// The size of all files together.
  public var bytes = 0
  /// The paths, relative to the folder, of files that no reader should accept.
  public var broken: [String] = []
}

/// Why the data set could not be written.
public struct SampleError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What can be wrong.
  public enum Reason: Hashable, Sendable { case notEmpty, notAFolder }
  /// What is wrong.
  public let reason: Reason
  /// The folder that was to be written.
  public let path: String

  init(_ reason: Reason, path: String) {
    self.reason = reason
    self.path = path
  }

  /// The path and the reason.
  public var description: String {
    switch reason {
    case .notEmpty: "\(path): the folder is not empty; a new or an empty one is expected"
    case .notAFolder: "\(path): this is a file, not a folder"
    }
  }
}

/// Draws a data set that is laid out like Caltech-256: class folders `001.bus`, `002.butterfly`, ... of
/// `001_0001.jpg`, ...
///
/// The pictures vary in size, shape, colour, background, position, rotation and clutter. Most are JPEGs of different
/// quality; some are PNG, and some JPEGs are grey, CMYK, progressive, or rotated with an EXIF orientation. Two pairs of
/// classes are hard to tell apart on purpose (see `Subject`).
///
/// - Parameters:
///   - folder: created, with its parents; it must not exist or be empty. It appears when everything is written.
///   - options: within the ranges that `SampleOptions` names.
///   - progress: called after each picture with how many are done and how many there will be.
/// - Returns: what was written.
/// - Throws: `SampleError`; `FileError`; `ImageError`. Nothing is left under the folder's name then.
/// - Complexity: about 5 ms per picture on one core.
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
    var random = SampleRandom(seed: UInt64(bitPattern: Int64(options.seed)), label, index)
    return path(folder, label, index, PictureKind(class: label, index: index, &random).suffix)
  }
  return (folder, pictures)
}

private func folderName(_ label: Int) -> String {
  padded(label + 1, 3) + "." + Subject.allCases[label].rawValue
}

private func pictureCount(_ label: Int, _ options: SampleOptions) -> Int {
  var random = SampleRandom(seed: UInt64(bitPattern: Int64(options.seed)), label)
  let count = options.imagesPerClass
  return random.integer((count - count / 8)...(count + count / 4))
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
      var random = SampleRandom(seed: UInt64(bitPattern: Int64(options.seed)), label, index)
      let kind = PictureKind(class: label, index: index, &random)
      let file = try photograph(subject, as: kind, sides: options.sides, &random)
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

/// A truncated JPEG in the middle class, and a text file that is named as a JPEG in the last one.
private func brokenFiles(
  _ subjects: [Subject], _ options: SampleOptions
) throws(ImageError) -> [(label: Int, file: [UInt8])] {
  let middle = subjects.count / 2
  var random = SampleRandom(seed: UInt64(bitPattern: Int64(options.seed)), middle, -1)
  let whole = try photograph(subjects[middle], as: .jpeg(progressive: false), sides: options.sides, &random)
  let text = "This text has the name of a photograph, but it is none.\n"
  return [(middle, Array(whole.prefix(whole.count / 2))), (subjects.count - 1, Array(text.utf8))]
}

/// The path of a picture, named as in Caltech-256: `<class>_<number>`, both counted from 1.
private func path(_ folder: String, _ label: Int, _ index: Int, _ suffix: String) -> String {
  folder + "/" + padded(label + 1, 3) + "_" + padded(index + 1, 4) + suffix
}

private func padded(_ number: Int, _ digitCount: Int) -> String {
  let digits = String(number)
  return String(repeating: "0", count: max(digitCount - digits.count, 0)) + digits
}

/// Writes invented predictions of two classifiers for the pictures of a sample, to try out scoring and comparing.
///
/// `folder` gets `first/` and `second/`, each with `<class folder>/<picture>.out`, named and written as by
/// SageMaker's batch transform: `{"prediction": [a probability per class]}`. The two often agree, the second is right
/// a little more often, and both mistake cars for buses and flowers for stars more often than anything else. The
/// pictures are not looked at, so the metrics say nothing about any network.
///
/// - Parameters:
///   - folder: created, with its parents; it must not exist or be empty. It appears when everything is written.
///   - options: those that `writeSample` had. There is no output for the broken files.
/// - Throws: `SampleError`; `FileError`. Nothing is left under the folder's name then.
/// - Complexity: two small files per picture.
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

/// Integer weights divided by their sum, which gives the same digits on every machine.
private func probabilities(_ label: Int, _ index: Int, run: Int, _ options: SampleOptions) -> [Double] {
  var random = SampleRandom(seed: UInt64(bitPattern: Int64(options.seed)), label, index, 77)
  var weights = (0..<options.classCount).map { _ in random.integer(1...9) }
  let luck = random.real(0...1)
  var other = random.integer(0...(options.classCount - 1))
  // The second classifier judges one picture in five differently.
  let isSeenAnew = random.happens(0.2)
  let newLuck = random.real(0...1)
  let seen = run == 1 && isSeenAnew ? newLuck : luck
  let share = 0.74 + (run == 1 ? 0.05 : 0) - 0.2 * Double(label % 4) / 4
  if seen > share && seen < share + 0.14, let twin = twin(of: label), twin < options.classCount {
    other = twin
  }
  let isRight = seen <= share || other == label
  let top = isRight ? random.integer(20...700) : random.integer(15...180)
  if isRight {
    weights[label] += top
  } else {
    weights[other] += top
    weights[label] += random.integer(0...max(1, top * 3 / 4))
  }
  let sum = Double(weights.reduce(0, +))
  return weights.map { Double($0) / sum }
}

/// The class that is hard to distinguish from this one, if there is one.
private func twin(of label: Int) -> Int? {
  let pairs: [Subject: Subject] = [.car: .bus, .bus: .car, .flower: .star, .star: .flower]
  let subjects = Subject.allCases
  return pairs[subjects[label]].flatMap { subjects.firstIndex(of: $0) }
}

/// The random numbers of the sample: SplitMix64, so that a picture depends on its seed alone, on every machine.
struct SampleRandom {
  private var state: UInt64

  /// - Parameter place: what the numbers are for: a class, or a class and a picture. They do not depend on any others.
  init(seed: UInt64, _ place: Int...) {
    state = seed
    for number in place {
      state = next() ^ UInt64(truncatingIfNeeded: number) &* 0xd1b5_4a32_d192_ed03
    }
  }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    return KeyedGenerator.mixed(state)
  }

  /// A number from `range`, uniformly distributed.
  mutating func real(_ range: ClosedRange<Double>) -> Double {
    let unit = Double(next() >> 11) * 0x1p-53
    return range.lowerBound + unit * (range.upperBound - range.lowerBound)
  }

  mutating func integer(_ range: ClosedRange<Int>) -> Int {
    // The ranges are short, so the bias of the remainder is negligible.
    range.lowerBound + Int(next() >> 33) % (range.upperBound - range.lowerBound + 1)
  }

  mutating func happens(_ probability: Double) -> Bool { real(0...1) < probability }

  mutating func pick<T>(_ choices: [T]) -> T { choices[integer(0...(choices.count - 1))] }
}
