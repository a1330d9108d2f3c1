import Hyperparameters

/// The labels of an image set: for each image its class or, for multi-label data, a 0 or 1 for each class.
struct LabelStore: Sendable {
  let classCount: Int
  let isMultiLabel: Bool
  /// One number for each image, or `classCount` numbers for multi-label data.
  private(set) var values: [Int32] = []

  init(classCount: Int, isMultiLabel: Bool) {
    self.classCount = classCount
    self.isMultiLabel = isMultiLabel
  }

  var count: Int { isMultiLabel ? values.count / classCount : values.count }

  /// - Parameters:
  ///   - labels: the labels of one image as the file has them.
  ///   - place: file, line and image, for the error.
  /// - Throws: `TrainingError` for a label that is not a class, and for a wrong number of labels.
  mutating func append(_ labels: some Collection<Double>, at place: () -> String) throws(TrainingError) {
    if isMultiLabel {
      guard labels.count == classCount else {
        throw TrainingError(
          "Mismatch between number of labels in the multi-label data (\(labels.count)) and the num_classes parameter "
            + "(\(classCount)): \(place())")
      }
      for label in labels {
        guard label == 0 || label == 1 else {
          throw TrainingError(
            "\(place()): the multi-label data has the label \(shortest(label)); 0 or 1 is expected")
        }
        values.append(label == 1 ? 1 : 0)
      }
    } else {
      guard labels.count == 1, let label = labels.first else {
        throw TrainingError(
          "\(place()): the image has \(labels.count) labels, but multi_label is 0; one label is expected")
      }
      guard let number = Int32(exactly: label), (0..<classCount).contains(Int(number)) else {
        throw TrainingError(
          "\(place()): the label is \(shortest(label)), but num_classes is \(classCount); a whole number from 0 to "
            + "\(classCount - 1) is expected")
      }
      values.append(number)
    }
  }

  /// The class of an image or, for multi-label data, all its classes.
  func classes(of image: Int) -> [Int] {
    guard isMultiLabel else { return [Int(values[image])] }
    let start = image * classCount
    return (0..<classCount).filter { values[start + $0] == 1 }
  }

  /// The number of images of each class, by label.
  var histogram: [Int] {
    var counts = [Int](repeating: 0, count: classCount)
    if isMultiLabel {
      for (place, value) in values.enumerated() where value == 1 { counts[place % classCount] += 1 }
    } else {
      for value in values { counts[Int(value)] += 1 }
    }
    return counts
  }
}
