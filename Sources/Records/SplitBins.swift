/// The bins a split puts images into, and how many of each class belong into each.
struct SplitBins {
  /// A list made of one bin or several.
  struct Part {
    let name: String
    let bins: Set<Int>
  }
  let parts: [Part]
  /// `targets[class][bin]`; a row's sum is the class's image count.
  let targets: [[Int]]
  private(set) var warnings: [SplitWarning] = []

  init(_ rule: Split, _ counts: [Int], names: [String]) throws(SplitError) {
    switch rule {
    case .perClass(let wanted, let allowSmall):
      guard wanted >= 1 else { throw SplitError(.badPerClass(wanted)) }
      let small = counts.indices.filter { counts[$0] > 0 && counts[$0] <= wanted }
      guard allowSmall || small.isEmpty else {
        throw SplitError(
          .smallClasses(perClass: wanted, small.map { .init(name: names[$0], imageCount: counts[$0]) }))
      }
      parts = [Part(name: "\(wanted)-train", bins: [0]), Part(name: "\(wanted)-val", bins: [1])]
      targets = counts.map { count in
        let train = max(0, min(wanted, count - 1))
        return [train, count - train]
      }
      warnings = small.map {
        .smallClass(name: names[$0], imageCount: counts[$0], trainCount: counts[$0] - 1)
      }
    case .ratios(let train, let validation, let test):
      let ratios = [train, validation, test]
      // 0.7 + 0.2 + 0.1 is a little less than 1 in binary.
      let missing = 1 - ratios.reduce(0, +)
      guard ratios.allSatisfy({ (0...1).contains($0) }), missing > -1e-9, ratios.contains(where: { $0 > 0 })
      else {
        throw SplitError(.badRatios(train: train, validation: validation, test: test))
      }
      let used = ratios.indices.filter { ratios[$0] > 0 }
      parts = used.enumerated().map { Part(name: ["train", "val", "test"][$1], bins: [$0]) }
      let isComplete = missing < 1e-9
      let shares = used.map { ratios[$0] } + (isComplete ? [] : [missing])
      targets = apportion(counts, shares: shares, required: used.count)
      if !isComplete {
        let leftOut = targets.reduce(0) { $0 + $1[used.count] }
        warnings = [.leftOut(imageCount: leftOut)]
      }
    case .folds(let count):
      guard count >= 2 else { throw SplitError(.badFolds(count)) }
      let all = Set(0..<count)
      parts = (0..<count).flatMap { fold in
        [
          Part(name: "fold\(fold)-train", bins: all.subtracting([fold])),
          Part(name: "fold\(fold)-val", bins: [fold]),
        ]
      }
      // A class's surplus goes on where that of the class before ended, so the folds differ by one image at most.
      var next = 0
      targets = counts.map { imageCount in
        var row = [Int](repeating: imageCount / count, count: count)
        for _ in 0..<(imageCount % count) {
          row[next] += 1
          next = (next + 1) % count
        }
        return row
      }
    }
  }

  /// The part to name when a bin's count is talked about.
  func partName(ofBin bin: Int) -> String {
    parts.last { $0.bins == [bin] }?.name ?? "no list"
  }
}
