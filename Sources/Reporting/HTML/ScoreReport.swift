import Encodings
import Files
public import Imaging
public import Scoring

/// The report of a run as one HTML file.
///
/// It is complete without its script, makes no request, and has the same bytes for the same score and thumbnails.
public struct ScoreReport: Sendable {
  /// The byte count that thumbnails may fill the file up to. Data alone may exceed it.
  public static let byteLimit = 5_000_000

  /// The score that is reported.
  public let score: Score

  /// A report of this score.
  public init(_ score: Score) { self.score = score }

  /// The images whose thumbnails the report would show, most wanted first.
  public var wantedImages: [String] { WantedImages.paths(of: score) }

  /// The byte count of JPEG files that fits into the report beside everything else.
  /// - Throws: what `html` throws.
  /// - Complexity: that of `html`, which is run once without thumbnails.
  public func thumbnailByteBudget() throws(ImageError) -> Int {
    let rest = try html().utf8.count
    // Each thumbnail has a caption; base64 has 4 characters for 3 bytes.
    let captions = 700 * (ScorePage.galleryLimit * 2 + ScorePage.cellGalleryCount * ScorePage.cellFigureCount)
    return max(0, (Self.byteLimit - rest - captions - 100_000) / 4 * 3)
  }

  /// The file, in UTF-8.
  /// - Throws: `ImageError` where there is no memory for the picture of the matrix.
  public func html(thumbnails: Thumbnails = Thumbnails()) throws(ImageError) -> String {
    let thumbs = ThumbBook(thumbnails.count == 0 ? [] : wantedImages, thumbnails)
    return try ScorePage(score, thumbs: thumbs).page().html()
  }
}

/// The images whose thumbnails a report shows, most wanted first.
enum WantedImages {
  /// How many images are asked for at most; no budget is enough for more.
  static let limit = 3_000

  /// The galleries take turns, so that a small budget has something for each; then come errors, by confidence.
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

  /// Images of the most frequent confusions, most confident first.
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

/// The numbers by which a page refers to thumbnails.
struct ThumbBook {
  private var numbers: [[UInt8]: Int] = [:]
  private(set) var all: [(number: Int, jpeg: [UInt8])] = []

  /// - Parameter paths: the wanted images, in the order in which the page has their thumbnails; those without one are
  ///   left out.
  init(_ paths: [String], _ thumbnails: Thumbnails) {
    for path in paths {
      guard let thumbnail = thumbnails[path] else { continue }
      let key = Array(path.utf8)
      guard numbers[key] == nil else { continue }
      numbers[key] = all.count
      all.append((all.count, thumbnail.jpeg))
    }
  }

  subscript(path: String) -> Int? { all.isEmpty ? nil : numbers[Array(path.utf8)] }
}

/// What the script of the page knows: the classes, the cells of the matrix, and images of each cell, as columns.
struct PageData {
  /// The byte count that names of images have at most; with more, a cell lists only some of its images.
  static let nameByteLimit = 1_000_000
  static let classNameLimit = 64

  let score: Score
  let thumbs: ThumbBook

  init(_ score: Score, thumbs: ThumbBook) {
    self.score = score
    self.thumbs = thumbs
  }

  var json: String {
    var json = JSONWriter(.embedded)
    let images = listedImages()
    json.object { json in
      json.key("classes")
      json.strings(score.classes.map { clipped($0.name, to: Self.classNameLimit) })
      json.key("support")
      json.integers(score.classes.map(\.support))
      json.key("predicted")
      json.integers(score.classes.map(\.predicted))
      json.key("orders")
      json.object { json in
        for (name, order) in orders {
          json.key(name)
          json.integers(order)
        }
      }
      if let groups = score.groups {
        json.key("groups")
        json.integers(groups.assignment)
        json.key("groupNames")
        json.strings(groups.groups.map { clipped($0.name, to: Self.classNameLimit) })
      }
      // For each cell: true label, predicted label, number of images, number of images listed.
      json.key("cells")
      json.integers(zip(score.confusion, images).flatMap { [$0.truth, $0.predicted, $0.count, $1.count] })
      json.key("ramps")
      ramps(&json)
      add(images.flatMap(\.self), to: &json)
    }
    return String(decoding: json.bytes, as: UTF8.self)
  }

  private var orders: [(String, [Int])] {
    var orders: [(String, [Int])] = []
    if let seriated = score.orders.seriated { orders.append(("seriated", seriated)) }
    orders += [
      ("alphabetical", score.orders.alphabetical), ("recall", score.orders.recall),
      ("support", score.orders.support),
    ]
    if let groups = score.groups { orders.append(("group", groups.groups.flatMap(\.classes))) }
    return orders
  }

  private func ramps(_ json: inout JSONWriter) {
    json.object { json in
      for (name, ramp) in [
        ("errorsLight", Ramp.errorsOnLight), ("rightLight", .rightOnLight), ("errorsDark", .errorsOnDark),
        ("rightDark", .rightOnDark),
      ] {
        json.key(name)
        json.strings(ramp.steps)
      }
    }
  }

  private func add(_ images: [Int], to json: inout JSONWriter) {
    var folders: [ByteName: Int] = [:]
    var folderNames: [String] = []
    var folderOf: [Int] = []
    var names: [String] = []
    var confidences: [Int] = []
    var pictures: [Int] = []
    for (place, index) in images.enumerated() {
      let prediction = score.predictions[index]
      let path = prediction.path
      let cut =
        path.utf8.lastIndex(of: UInt8(ascii: "/")).map { path.utf8.index(after: $0) } ?? path.startIndex
      let folder = ByteName(clipped(String(path[..<cut]), to: 200))
      if folders[folder] == nil {
        folders[folder] = folderNames.count
        folderNames.append(cut == path.startIndex ? "" : folder.text)
      }
      folderOf.append(folders[folder] ?? 0)
      names.append(clipped(String(path[cut...]), to: 120))
      confidences.append(prediction.confidence.map { Int(exactly: ($0 * 1000).rounded()) ?? -1 } ?? -1)
      if let number = thumbs[path] { pictures += [place, number] }
    }
    json.key("folders")
    json.strings(folderNames)
    json.key("folder")
    json.integers(folderOf)
    json.key("name")
    json.strings(names)
    // In thousandths; -1 without probabilities.
    json.key("confidence")
    json.integers(confidences)
    json.key("thumbs")
    json.integers(pictures)
  }

  /// For each cell the indexes of its images in `predictions`: those with a thumbnail first, then by confidence.
  ///
  /// Errors come before right answers, and cells take turns until there is no room for more.
  private func listedImages() -> [[Int]] {
    var places: [Int: Int] = [:]
    let width = score.classes.count
    for (index, cell) in score.confusion.enumerated() { places[cell.truth * width + cell.predicted] = index }
    var all = [[Int]](repeating: [], count: score.confusion.count)
    var weights: [Int] = []
    weights.reserveCapacity(score.predictions.count)
    var ranks: [Double] = []
    ranks.reserveCapacity(score.predictions.count)
    for (index, image) in score.predictions.enumerated() {
      weights.append(min(image.path.utf8.count, 320) + 8)
      ranks.append((image.confidence ?? 0) + (thumbs[image.path] == nil ? 0 : 2))
      if let place = places[image.truth * width + image.predicted] { all[place].append(index) }
    }
    for place in all.indices { all[place].sort { (ranks[$1], $0) < (ranks[$0], $1) } }
    var listed = [[Int]](repeating: [], count: all.count)
    var room = Self.nameByteLimit
    for isRight in [false, true] {
      let turn = score.confusion.indices.filter {
        (score.confusion[$0].truth == score.confusion[$0].predicted) == isRight
      }
      var round = 0
      var hasMore = true
      while hasMore && room > 0 {
        hasMore = false
        for place in turn where round < all[place].count && room > 0 {
          listed[place].append(all[place][round])
          room -= weights[all[place][round]]
          hasMore = true
        }
        round += 1
      }
    }
    return listed
  }
}
