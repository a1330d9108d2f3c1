import Scoring
import TestSupport

/// A run of so many classes and images with names of no harm.
func plainScore(classes classCount: Int, images: Int, pathLength: Int = 0, isHard: Bool = false) throws
  -> Score
{
  var random = SplitMix64(seed: 11)
  var tally = Tally(classes: (0..<classCount).map { "class \($0)" })
  for image in 0..<images {
    let truth = image % classCount
    let path = "folder \(truth)/\(image)" + String(repeating: "x", count: pathLength) + ".jpg"
    let predicted = random.next() % 4 == 0 ? Int(random.next() % UInt64(classCount)) : truth
    if isHard {
      try tally.add(path, truth: truth, predicted: predicted)
      continue
    }
    var row = [Double](repeating: 0.2 / Double(classCount), count: classCount)
    row[predicted] += 0.8 - Double(random.next() % 100) / 200
    try tally.add(
      path, truth: truth, probabilities: row.span, attributes: ["width": .number(Double(image % 7) * 100)])
  }
  return tally.score(ScoreOptions(seed: 1, draws: 50))
}
