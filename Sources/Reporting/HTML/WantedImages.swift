import Files
import Scoring

/// Which images a page shows, the most wanted first.
enum WantedImages {
  /// At most so many are asked for: beyond that no budget reaches.
  static let limit = 3_000

  /// The galleries take turns, so that a small budget has something of each; then errors, by confidence.
  static func paths(of score: Score) -> [String] {
    let errors = (score.confidentErrors ?? []).map(\.path)
    let labels = (score.labelIssues?.images ?? []).prefix(ScorePage.galleryLimit).map(\.path)
    let cells = byCell(of: score, ScorePage.cellGalleryCount, ScorePage.cellFigureCount)
    var lists: [ArraySlice<String>] = [
      errors.prefix(ScorePage.galleryLimit)[...], labels[...], cells.flatMap { $0.images.map(\.path) }[...],
    ]
    var paths: [String] = []
    var seen: Set<[UInt8]> = []
    func add(_ path: String) { if seen.insert(Array(path.utf8)).inserted { paths.append(path) } }
    while lists.contains(where: { !$0.isEmpty }) {
      for index in lists.indices {
        if let path = lists[index].popFirst() { add(path) }
      }
    }
    for path in errors { add(path) }
    for (_, images) in byCell(of: score, 200, ScorePage.cellFigureCount) {
      for image in images where paths.count < limit { add(image.path) }
    }
    return Array(paths.prefix(limit))
  }

  /// Images of the most frequent confusions, the most confident first.
  static func byCell(of score: Score, _ cellCount: Int, _ imageCount: Int) -> [(
    pair: DirectedPair, images: [Prediction]
  )] {
    let pairs = score.directedPairs.prefix(cellCount)
    var places: [Cell: Int] = [:]
    for (index, pair) in pairs.enumerated() {
      places[Cell(truth: pair.truth, predicted: pair.predicted)] = index
    }
    var images = [[Prediction]](repeating: [], count: pairs.count)
    for prediction in score.predictions where !prediction.isCorrect {
      if let place = places[Cell(truth: prediction.truth, predicted: prediction.predicted)] {
        images[place].append(prediction)
      }
    }
    return zip(pairs, images).map { pair, images in
      let sorted = images.sorted {
        ($1.confidence ?? 0, ByteName($0.path)) < ($0.confidence ?? 0, ByteName($1.path))
      }
      return (pair, Array(sorted.prefix(imageCount)))
    }
  }

  private struct Cell: Hashable {
    let truth: Int
    let predicted: Int
  }
}
