public import Files

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
