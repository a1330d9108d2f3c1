/// How many images of each label are to be flagged as being of each other class: the confident joint, calibrated to
/// the number of images of each label and rounded, as cleanlab's `calibrate_confident_joint`,
/// `_keep_at_least_n_per_class`, without the zeros.
struct PruneCounts {
  struct Entry {
    let other: Int
    let count: Int
  }
  private var rows: [[Entry]]

  private struct Cell {
    /// The given label, and the class that is believed.
    let label: Int
    let other: Int
    var value: Double
  }

  /// - Parameters:
  ///   - joint: images by `label * classCount + believed`.
  ///   - support: images of each label.
  init(classCount: Int, joint: [Int: Int], support: [Int]) {
    var joint = joint
    // At least one image of every class is taken for right.
    for label in 0..<classCount { joint[label * classCount + label, default: 1] += 0 }
    var sums = Array(repeating: 0, count: classCount)
    for (key, count) in joint { sums[key / classCount] += count }
    var cells = joint.keys.sorted().map { key in
      let label = key / classCount
      let value = Double(joint[key] ?? 0) / Double(sums[label]) * Double(support[label])
      return Cell(label: label, other: key % classCount, value: value)
    }
    let sum = Self.pairwiseSum(cells, classCount: classCount)
    let total = Double(support.reduce(0, +))
    for index in cells.indices { cells[index].value = cells[index].value / max(sum, 1e-100) * total }
    Self.round(&cells)
    Self.keepOne(&cells, classCount: classCount)

    rows = Array(repeating: [], count: classCount)
    for cell in cells.sorted(by: { ($0.label, $0.other) < ($1.label, $1.other) })
    where cell.label != cell.other && cell.value > 0 {
      rows[cell.label].append(Entry(other: cell.other, count: Int(cell.value)))
    }
  }

  /// Classes the label may really be, ascending; none with a count of 0.
  func row(_ label: Int) -> [Entry] { rows[label] }

  /// Where a label has no image left that is taken for right, one is taken from the others, in equal parts; what is
  /// left of them is cut to whole numbers.
  private static func keepOne(_ cells: inout [Cell], classCount: Int) {
    var nonzero = Array(repeating: 0, count: classCount)
    var diagonal = Array(repeating: 0.0, count: classCount)
    for cell in cells {
      if cell.value != 0 { nonzero[cell.label] += 1 }
      if cell.label == cell.other { diagonal[cell.label] = cell.value }
    }
    for index in cells.indices {
      let label = cells[index].label
      if cells[index].other == label {
        cells[index].value = max(diagonal[label], 1)
      } else {
        let lacking = max(diagonal[label], 1) - diagonal[label]
        let rest = cells[index].value - lacking / Double(max(nonzero[label] - 1, 1))
        cells[index].value = max(0, rest.rounded(.down))
      }
    }
  }

  /// Rounds half to even, then moves those nearest to the next whole number until the sum of each label is kept.
  /// - Parameter cells: by label, then by class.
  private static func round(_ cells: inout [Cell]) {
    var start = 0
    while start < cells.count {
      var end = start
      while end < cells.count && cells[end].label == cells[start].label { end += 1 }
      let members = Array(start..<end)
      let wanted = members.reduce(0) { $0 + cells[$1].value }.rounded(.toNearestOrEven)
      let residuals = members.map { cells[$0].value - cells[$0].value.rounded(.toNearestOrEven) }
      var rounded = members.map { cells[$0].value.rounded(.toNearestOrEven) }
      let ascending = members.indices.sorted { (residuals[$0], $0) < (residuals[$1], $1) }
      while true {
        let difference = (wanted - rounded.reduce(0, +)).rounded(.toNearestOrEven)
        if abs(difference) < 0.5 { break }
        let changes = min(Int(abs(difference)), members.count)
        if difference > 0 {
          for place in ascending.suffix(changes) { rounded[place] += 1 }
        } else {
          for place in ascending.prefix(changes) { rounded[place] -= 1 }
        }
      }
      for (place, index) in members.enumerated() { cells[index].value = rounded[place] }
      start = end
    }
  }
}

extension PruneCounts {
  /// Above this many classes the zeros are not laid out any more.
  private static let denseLimit = 4_096

  /// The sum as numpy takes it over the whole matrix, in pairs: a value that lies half way between two whole numbers
  /// is then rounded to the same one. Rows of the matrix in memory are believed classes.
  private static func pairwiseSum(_ cells: [Cell], classCount: Int) -> Double {
    guard classCount <= denseLimit else { return cells.reduce(0) { $0 + $1.value } }
    var dense = Array(repeating: 0.0, count: classCount * classCount)
    for cell in cells { dense[cell.other * classCount + cell.label] = cell.value }
    return pairwiseSum(dense[...])
  }

  private static func pairwiseSum(_ values: ArraySlice<Double>) -> Double {
    let start = values.startIndex
    if values.count < 8 { return values.reduce(-0.0, +) }
    if values.count <= 128 {
      var lanes = Array(values.prefix(8))
      var index = 8
      while index < values.count - values.count % 8 {
        for lane in 0..<8 { lanes[lane] += values[start + index + lane] }
        index += 8
      }
      var sum =
        ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]))
      while index < values.count {
        sum += values[start + index]
        index += 1
      }
      return sum
    }
    let half = values.count / 2 - values.count / 2 % 8
    return pairwiseSum(values.prefix(half)) + pairwiseSum(values.dropFirst(half))
  }
}
