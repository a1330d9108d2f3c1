import Hyperparameters

/// The labels of a set: of each image its class, or a 0 or 1 a class.
struct LabelStore: Sendable {
  let classCount: Int
  let isMultiLabel: Bool
  /// One number an image, or `classCount` of them.
  private(set) var values: [Int32] = []

  init(classCount: Int, isMultiLabel: Bool) {
    self.classCount = classCount
    self.isMultiLabel = isMultiLabel
  }

  var count: Int { isMultiLabel ? values.count / classCount : values.count }

  /// - Parameters:
  ///   - labels: of one image, as they stand in the file.
  ///   - place: where they stand, for the error.
  /// - Throws: labels that are no class, or too many or few of them.
  mutating func append(_ labels: some Collection<Double>, at place: () -> String) throws(TrainingError) {
    if isMultiLabel {
      guard labels.count == classCount else {
        throw TrainingError(
          "Mismatch between number of labels in the multi-label data (\(labels.count)) and the num_classes parameter "
            + "(\(classCount)). This is so at \(place())")
      }
      for label in labels {
        guard label == 0 || label == 1 else {
          throw TrainingError(
            "\(place()): a label of multi-label data is \(shortest(label)); 0 or 1 is expected")
        }
        values.append(label == 1 ? 1 : 0)
      }
    } else {
      guard labels.count == 1, let label = labels.first else {
        throw TrainingError(
          "\(place()): the image has \(labels.count) labels, and multi_label is 0; one is expected")
      }
      guard let number = Int32(exactly: label), (0..<classCount).contains(Int(number)) else {
        throw TrainingError(
          "\(place()): the label is \(shortest(label)); with num_classes \(classCount) whole numbers from 0 to "
            + "\(classCount - 1) are expected")
      }
      values.append(number)
    }
  }

  /// The class of an image; of multi-label data, the classes.
  func classes(of image: Int) -> [Int] {
    guard isMultiLabel else { return [Int(values[image])] }
    let start = image * classCount
    return (0..<classCount).filter { values[start + $0] == 1 }
  }

  /// Images of each class.
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
