/// How often classes are taken for each other, as a full symmetric matrix.
struct Confusability {
  let classCount: Int
  /// (C[a][b] / images of a + C[b][a] / images of b) / 2, row-major, 0 on the diagonal.
  let similarity: [Double]
  /// C[a][b] + C[b][a], 0 on the diagonal.
  let counts: [Double]

  init(_ confusion: ConfusionCounts) {
    classCount = confusion.classCount
    var similarity = Array(repeating: 0.0, count: classCount * classCount)
    var counts = similarity
    for truth in 0..<classCount {
      for entry in confusion.row(truth) where entry.predicted != truth {
        let rate = ratio(entry.count, confusion.support[truth]) / 2
        for place in [truth * classCount + entry.predicted, entry.predicted * classCount + truth] {
          similarity[place] += rate
          counts[place] += Double(entry.count)
        }
      }
    }
    self.similarity = similarity
    self.counts = counts
  }
}
